"The whole set in the viewer: its scores, the confusions and the pixels behind them, the filter."
import re

import numpy as np
import pytest
from PIL import Image
from test_viewer import (CHROMIUM, CONTRAST, MAKE, UNREACHABLE, browser, drawn, here, kernel_messages, lab, notebook, odd, open_page, run_cell,  # noqa: F401
                         run_in_lab, see, shows)

pytestmark = pytest.mark.skipif(not CHROMIUM, reason='no chromium: `apt-get install chromium`, or name one in PIXSEG_CHROMIUM')


@pytest.fixture(scope='module')
def made(browser, here, tmp_path_factory):  # noqa: F811
    "Opens a page with a viewer of these arguments; closes it in the end, and there was no trouble on it."
    folder,pages = tmp_path_factory.mktemp('set'),[]
    def look(b, width=1280, height=720, scheme='light'):
        page = open_page(browser, color_scheme=scheme)
        page.set_viewport_size(dict(width=width, height=height))
        pages.append(page)
        page.goto(b.save(folder/f'{len(pages)}.html').as_uri())
        drawn(page)
        page.locator('.pv-canvas').focus()
        return page
    yield look
    for p in pages:
        assert p.trouble == []
        p.close()


@pytest.fixture(scope='module')
def viewer(here):  # noqa: F811
    "Six streets, two steps: the second predicts everything right."
    b = here['MaskBrowser'](here['imgs'], here['preds'], here['targs'], here['CAMVID'], names=here['names'], conf=here['confs'], step='first')
    b.add_step(here['targs'], 'right')
    b.opacity,b.step = 1.,0
    return b


def name(page): return page.locator('.pv-name').inner_text()


def place(page): return page.locator('.pv-place').inner_text()


def opened(page):
    page.keyboard.press('a')
    page.wait_for_selector('.pv-cell')


def sums(page): return [float(o) for o in page.locator('.pv-sums b').all_inner_texts()]


def cell(page, text): return page.locator(f'.pv-cell[aria-label^="{text}:"]')


def pairs(b, step, true, predicted):
    "In each frame, the pixels of one true class that were predicted as one class: a mask."
    labels = b.labels
    return [(b.steps[step](i)[0] == labels[predicted]) & (b.truth(i)[0] == labels[true]) for i in range(len(b.frames))]


def test_the_scores_of_the_whole_set_are_those_of_python(made, viewer):
    page,want = made(viewer),viewer.totals(0)
    assert page.locator('.pv-whole').is_hidden()
    opened(page)
    assert sums(page) == pytest.approx([want['mean IoU'], want['accuracy']], abs=5e-4)
    cm = viewer.confusion(0)
    assert f'{cm.to_numpy().sum():,} pixels of 6 frames' in page.locator('.pv-sums').inner_text()
    rows = page.locator('.pv-matrix tbody tr').evaluate_all("all => all.map(r => [...r.children].map(c => c.textContent))")
    there = [o for o in cm.index if cm.loc[o].sum() or cm[o].sum()]
    assert [r[0] for r in rows] == there and 'Fence' not in there # absent classes are dropped, and that is said
    assert page.locator('.pv-hint').inner_text().endswith('Nowhere: Fence.')
    for true,iou,*shares in rows:
        assert iou == f'{want[true]:.2f}'
        share = cm.loc[true]/cm.loc[true].sum()
        for predicted,text in zip([o for o in cm.columns if cm[o].sum() or o in there], shares, strict=True):
            assert text == (str(int(np.floor(100*share[predicted]+.5))) if share[predicted] >= .005 else ''), (true, predicted)
    page.locator('.pv-steps input').fill('1') # a step that is right
    page.wait_for_function("document.querySelector('.pv-sums b').textContent === '1.000'")
    assert sums(page) == [1, 1]


def test_a_cell_leads_to_its_frames_and_lights_its_pixels(made, viewer, here):  # noqa: F811
    page = made(viewer)
    opened(page)
    lit = pairs(viewer, 0, 'Car', 'Road')
    counts = [int(o.sum()) for o in lit]
    order = sorted(range(6), key=lambda i: (-counts[i], i))
    assert counts[order[0]] > counts[order[1]] > 0
    cell(page, 'Car taken for Road').click()
    share = sum(counts)/sum((viewer.truth(i)[0] == viewer.labels['Car']).sum() for i in range(6))
    for k,i in enumerate(order):
        assert (name(page), place(page)) == (here['names'][i], f'{k+1} of 6')
        grey = viewer.frames.img(i).mean(2, keepdims=True).repeat(3, 2)
        over_grey(page, np.where(lit[i][...,None], (255, 214, 0), grey)) # exactly those
        words = page.locator('.pv-legend').inner_text()
        assert words == f'Car taken for Road: {counts[i]} pixels in this frame, {sum(counts)} in {sum(c > 0 for c in counts)} frames, {100*share:.1f}% of all Car'
        assert words in page.locator('.pv [aria-live=polite]:not(.pv-read)').inner_text()
        page.keyboard.press('PageDown')
    assert page.locator('.pv-order option:checked').inner_text() == 'Car taken for Road'
    assert page.locator('.pv-group [aria-pressed=true]').count() == 0
    page.keyboard.press('Escape') # ends it, in the order of before, and the panel stays
    viewer.index,viewer.view = order[-1],'prediction'
    shows(page, viewer.picture())
    viewer.index = 0
    assert place(page) == f'{order[-1]+1} of 6' and page.locator('.pv-whole').is_visible() and page.locator('.pv-legend').is_hidden()
    cell(page, 'Car taken for Road').click()
    cell(page, 'Car taken for Road').click() # so does choosing it again
    assert page.locator('.pv-cell[aria-pressed=true]').count() == 0 and page.locator('.pv-legend').is_hidden()
    cell(page, 'Car taken for Road').click()
    page.get_by_role('button', name='Truth', exact=True).click() # or another view
    assert page.locator('.pv-legend').is_hidden() and page.locator('.pv-group [aria-pressed=true]').inner_text() == 'Truth'
    page.keyboard.press('Escape')
    assert page.locator('.pv-whole').is_hidden() and page.locator('.pv-classes').is_visible()


def test_the_matrix_by_keys(made, viewer):
    page = made(viewer)
    opened(page)
    focused = lambda: page.evaluate('document.activeElement.ariaLabel')
    for _ in range(40):
        if page.evaluate("document.activeElement.matches('.pv-cell')"): break
        page.keyboard.press('Tab')
    assert focused().startswith('Sky found as Sky')
    assert page.locator('.pv-cell[tabindex="0"]').count() == 1
    page.keyboard.press('ArrowRight')
    page.keyboard.press('ArrowDown')
    assert focused().startswith('Building found as Building') and name(page) == 'a.png'
    page.keyboard.press('End')
    assert focused().startswith('Building taken for Void')
    page.keyboard.press('Home')
    assert focused().startswith('Building taken for Sky')
    page.keyboard.press('Enter')
    assert page.locator('.pv-cell[aria-pressed=true]').count() == 1 and focused().startswith('Building taken for Sky')
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == 'solid'
    page.keyboard.press('Escape')
    page.keyboard.press('Escape')
    assert focused() == 'Scores and confusions of all frames (A)' # not lost with the panel


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('size', [(1280, 720), (700, 900), (400, 900)])
def test_the_panel_fits_and_can_be_read(made, viewer, size, scheme):
    page = made(viewer, *size, scheme)
    opened(page)
    page.keyboard.press('/')
    assert page.evaluate('document.documentElement.scrollWidth') <= size[0]
    if size == (1280, 720): assert page.evaluate('document.documentElement.scrollHeight') <= 720 and page.locator('.pv-stage').bounding_box()['height'] >= 160
    low = page.evaluate("""() => { const light = p => { const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
            c.fillStyle = getComputedStyle(document.querySelector('.pv')).backgroundColor; c.fillRect(0, 0, 1, 1); c.fillStyle = p; c.fillRect(0, 0, 1, 1)
            const l = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4, d = c.getImageData(0, 0, 1, 1).data
            return .2126 * l(d[0]) + .7152 * l(d[1]) + .0722 * l(d[2]) }
        return Math.min(...[...document.querySelectorAll('.pv-cell, .pv-sums span, .pv-hint, .pv-matrix th, .pv-matrix td.pv-iou, .pv-sieve *')]
            .filter(e => e.textContent).map(e => { const s = getComputedStyle(e), a = light(s.color), b = light(s.backgroundColor); return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) })) }""")
    assert low >= 4.5
    assert [o for o in page.evaluate(UNREACHABLE) if o and not re.search('taken for|found as', o)] == [] # cells scroll in their box


@pytest.fixture(scope='module')
def crowd(here):  # noqa: F811
    "150 classes, 60 of them on three frames, of which some are taken for the next."
    from pixseg.labels import Labels
    labels = Labels(tuple(f'thing {i:03}' for i in range(150)))
    mask = np.add.outer(np.arange(96)//10*6, np.arange(128)//22).astype(np.uint8) # 60 blocks
    targs = [mask, mask, np.roll(mask, 10, 0)]
    preds = [t.copy() for t in targs]
    for i,p in enumerate(preds): p[:,:4*(i+1)] = (p[:,:4*(i+1)]+1)%60
    return here['MaskBrowser'](here['imgs'][:3], preds, targs, labels, names=['a', 'b', 'c'])


def test_150_classes_are_a_list_largest_first(made, crowd):
    page = made(crowd)
    opened(page)
    assert page.locator('.pv-matrix table').count() == 0 and page.evaluate('document.documentElement.scrollHeight') <= 720
    cm = crowd.confusion().to_numpy()
    wrong = [(t, p) for t,p in np.argwhere(cm) if t != p]
    want = {by: [f'thing {t:03} taken for thing {p:03}' for t,p in sorted(wrong, key=lambda o: (-cm[o]/(cm[o[0]].sum() if by == 'share' else 1), o))] for by in ('share', 'pixels')}
    said = lambda: [o.split(':')[0] for o in page.locator('.pv-cell').evaluate_all('all => all.map(e => e.title)')]
    assert len(wrong) == 10 and said() == want['share'][:100]
    page.get_by_role('button', name='Sort by pixels').click()
    assert said() == want['pixels'][:100]
    page.locator('.pv-cell').first.focus()
    page.keyboard.press('ArrowDown')
    page.keyboard.press('Enter')
    t,p = (int(o) for o in re.findall(r'\d{3}', want['pixels'][1]))
    most = max(range(3), key=lambda i: ((crowd.truth(i)[0] == t) & (crowd.steps[0](i)[0] == p)).sum())
    assert name(page) == 'abc'[most] and page.locator('.pv-legend').inner_text().startswith(f'{want["pixels"][1]}: ')
    lowest = page.locator('div.pv-item').first.inner_text().split('\n')
    ious = crowd.totals().drop(['mean IoU', 'accuracy']).dropna()
    assert page.locator('div.pv-item').count() == len(ious) == 60 and float(lowest[-1]) == pytest.approx(ious.min(), abs=6e-3)


def test_counts_stay_small(crowd):
    "300 frames of 60 classes of 150: what travels beside the masks."
    import zlib
    from types import SimpleNamespace

    from pixseg.web.viewer import _Scores
    one = [crowd.scores.counts(0, i) for i in range(3)]
    many = SimpleNamespace(pairs=[{i: one[i%3] for i in range(300)}], frames=range(300), failed={})
    packed = _Scores.packed_counts(many, 0)
    flat = np.frombuffer(zlib.decompress(packed), '<i4')
    assert len(flat) == 300+2*100*sum(o.shape[1] for o in one)
    assert len(packed) < 4*300*150*150/100 # a hundredth of full tables


def test_frames_that_are_sent_thinned_are_counted_whole(made, here):  # noqa: F811
    targ = np.zeros((40, 4100), np.uint8)
    pred = targ.copy()
    pred[1:3,1] = 3 # two pixels, of which the sent mask has none
    b = here['MaskBrowser']([np.zeros((40, 4100, 3), np.uint8)], [pred], [targ], here['CAMVID'])
    page = made(b)
    opened(page)
    cell(page, f"{b.labels.names[0]} taken for {b.labels.names[3]}").click()
    said = page.locator('.pv-legend').inner_text()
    assert ': 2 pixels in this frame' in said and 'one pixel of 9 is drawn' in said


def test_without_truth_there_is_no_matrix_and_the_filter_knows_the_classes(made, here):  # noqa: F811
    b = here['MaskBrowser'](here['imgs'], here['preds'], labels=here['CAMVID'], names=here['names'])
    page = made(b)
    assert page.get_by_role('button', name='All frames').count() == 0
    page.keyboard.press('a')
    assert page.locator('.pv-whole').is_hidden()
    page.keyboard.press('/')
    page.keyboard.press('Tab')
    page.keyboard.type('Cyclist')
    have = [i for i,p in enumerate(here['preds']) if (p == here['CAMVID']['Cyclist']).any()]
    assert 0 < len(have) < 6
    page.wait_for_function("n => document.querySelector('.pv-sieve [role=status]').textContent.includes(`${n} of 6`)", arg=len(have))
    assert name(page) == here['names'][have[0]]


def test_the_filter(made, viewer, here):  # noqa: F811
    page = made(viewer)
    page.wait_for_function('document.querySelectorAll(".pv-thumb").length === 6')
    page.keyboard.press('/')
    remain = page.locator('.pv-sieve [role=status]')
    page.keyboard.type('D.')
    assert (name(page), place(page), remain.inner_text()) == ('d.png', '1 of 1', '1 of 6 frames')
    page.wait_for_function('document.querySelectorAll(".pv-thumb").length === 1')
    page.keyboard.type('zzz')
    assert name(page) == 'd.png' and 'No frame is left' in remain.inner_text() and place(page) == 'not among 0'
    page.wait_for_function('document.querySelectorAll(".pv-thumb").length === 0')
    page.locator('.pv-canvas').focus()
    for key in ('ArrowRight', 'Home', 'End'): page.keyboard.press(key)
    assert name(page) == 'd.png'
    page.get_by_role('button', name='No filter').click()
    assert (name(page), place(page)) == ('d.png', '4 of 6')
    have = [i for i in range(6) if any((m(i)[0] == viewer.labels['Pedestrian']).any() for m in (viewer.steps[0], viewer.truth))]
    assert 0 < len(have) < 6
    page.get_by_role('combobox', name='class on it').fill('pedes')
    page.wait_for_function("n => document.querySelector('.pv-sieve [role=status]').textContent === `${n} of 6 frames`", arg=len(have))
    page.locator('.pv-canvas').focus()
    page.keyboard.press('Home')
    for i in have:
        assert name(page) == here['names'][i]
        page.keyboard.press('ArrowRight')
    page.locator('.pv-order').select_option('worst IoU') # the order is of what is left
    viewer.order = 'worst IoU'
    assert name(page) == here['names'][[i for i in viewer.ranking() if i in have][0]]
    viewer.order = 'given'
    page.get_by_role('combobox', name='class on it').fill('no such')
    assert 'no class' in remain.inner_text() and remain.inner_text().endswith('6 of 6 frames')
    page.get_by_role('button', name='No filter').click()
    page.locator('.pv-order').select_option('given')
    page.locator('.pv-canvas').focus()
    page.keyboard.press('Home')
    page.keyboard.press('f')
    page.keyboard.press('End')
    page.keyboard.press('f')
    page.get_by_role('button', name='Only flagged frames').click()
    assert place(page) == '2 of 2'
    page.keyboard.press('f') # this one no longer belongs to them: it stays, and the arrows go on among the others
    assert (name(page), place(page)) == ('f.png', 'not among 1')
    page.keyboard.press('ArrowLeft')
    assert (name(page), place(page)) == ('a.png', '1 of 1')
    page.locator('.pv-canvas').focus()
    page.keyboard.press('Escape')
    assert page.locator('.pv-sieve').is_hidden() and page.locator('button[title^="Filter"]').inner_text() == 'Filter: 1 of 6' # it goes on, and says so


def over_grey(page, want):
    "Colours exactly where they belong; between them the grey photograph, which has been a JPEG."
    shows(page, want, tolerance=4)
    colored = np.ptp(want.astype(int), axis=-1) > 8
    assert (see(page)[colored] == want[colored]).all() and not (np.ptp(see(page)[~colored].astype(int), axis=-1) > 8).any()


def test_what_a_step_mended_and_broke(made, here):  # noqa: F811
    b = here['MaskBrowser'](here['imgs'], here['preds'], here['targs'], here['CAMVID'], names=here['names'], step='first')
    b.opacity,b.step = 1.,-1
    page = made(b)
    assert page.locator('.pv-group button[title^="What became better"]').is_hidden() # with one step nothing lies between
    b.add_step([np.roll(p, 2, 1) for p in here['preds']], 'second')
    b.add_step(here['targs'], 'third')
    page = made(b)
    page.keyboard.press('ArrowRight')
    page.get_by_role('button', name='Changes', exact=True).click()
    b.index,b.view = 1,'changes'
    over_grey(page, b.picture()) # against the step before: nothing is broken by the truth
    kinds = lambda: {tuple(o) for o in b.picture().reshape(-1, 3) if np.ptp(o.astype(int)) > 8}
    colors = b.widget._meta['changes']['colors']
    assert kinds() == {tuple(colors[0])}
    assert page.locator('.pv-legend').inner_text().split('\n') == ['mended', 'broken', 'wrong in both', '(second → third)']
    page.locator('.pv-steps input').fill('1')
    b.step = 1
    over_grey(page, b.picture())
    assert kinds() == {tuple(o) for o in colors[:3]}
    page.locator('.pv-against').select_option('third')
    b.against = 2
    over_grey(page, b.picture())
    assert page.locator('.pv-legend').inner_text().endswith('(third → second)')
    page.locator('.pv-class', has_text='Road').click()
    b.off = ['Road']
    over_grey(page, b.picture())
    page.locator('.pv-class', has_text='Road').click()
    b.off = []
    page.locator('.pv-against').select_option('second')
    assert page.locator('.pv-legend').inner_text().endswith('(second beside itself: choose another)')
    page.locator('.pv-canvas').focus()
    page.keyboard.press('3') # the curtain
    page.locator('.pv-against').select_option('first')
    b.view,b.against = 'curtain',0
    shows(page, b.picture())
    assert [page.locator(o).inner_text() for o in ('.pv-left', '.pv-right')] == ['second', 'first']
    assert page.locator('.pv-curtain').get_attribute('aria-label') == 'Curtain: second left, first right'
    page.locator('.pv-against').select_option('truth')
    b.against = -1
    shows(page, b.picture())
    assert page.locator('.pv-right').inner_text() == 'truth'


def test_two_predictions_without_truth(made, here):  # noqa: F811
    b = here['MaskBrowser'](here['imgs'], here['preds'], labels=here['CAMVID'], names=here['names'], step='A')
    b.add_step(here['targs'], 'B')
    b.opacity = 1.
    page = made(b)
    page.keyboard.press('ArrowRight')
    page.keyboard.press('2') # the second of prediction, curtain, changes
    b.index,b.view = 1,'curtain'
    shows(page, b.picture())
    assert [page.locator(o).inner_text() for o in ('.pv-left', '.pv-right')] == ['B', 'A']
    page.mouse.move(1, 1)
    page.keyboard.press('3')
    b.view = 'changes'
    over_grey(page, b.picture())
    changed = here['preds'][1] != here['targs'][1]
    assert (see(page)[changed] == b.widget._meta['changes']['colors'][3]).all() and 0 < changed.mean() < 1
    assert page.locator('.pv-legend').inner_text().split('\n') == ['changed', '(A → B)']
    page.keyboard.press('Shift+ArrowRight')
    assert page.locator('.pv-read').inner_text().startswith('predicted\n') and '\nA\n' in page.locator('.pv-read').inner_text()


def downloaded(page, folder, act):
    "What a download brings: its name, and the picture, uint8 `(H,W,3)`."
    with page.expect_download() as d: act()
    d.value.save_as(folder/'got.png')
    with Image.open(folder/'got.png') as im: return d.value.suggested_filename,np.asarray(im.convert('RGB'))


def test_a_view_is_saved_as_a_picture_with_its_legend(made, viewer, here, tmp_path):  # noqa: F811
    page,b = made(viewer),viewer
    pal,present = here['CAMVID'].palette(),set(np.unique(here['preds'][1]))
    page.keyboard.press('ArrowRight')
    page.keyboard.press('+') # a picture is of the whole frame
    shows_frame = lambda: page.wait_for_function("n => document.querySelector('.pv-name').textContent === n && document.querySelector('.pv-canvas').ariaLabel.includes('%')", arg=here['names'][1])
    shows_frame()
    file,got = downloaded(page, tmp_path, lambda: page.get_by_role('button', name='Save this view as a PNG (P)').click())
    assert file == 'b-prediction.png' and got.shape[1] >= 360 and got.shape[0] > 96
    assert (got[:96,:128] == pal[here['preds'][1]]).all()
    swatches = lambda got: {i for i in range(len(pal)) if (got[96:] == pal[i]).all(2).sum() >= 80}
    assert swatches(got) == present
    assert (got[96:] < 100).all(2).sum() > 100 # words
    page.locator('.pv-class', has_text='Road').click()
    page.locator('.pv-canvas').focus()
    file,got = downloaded(page, tmp_path, lambda: page.keyboard.press('p'))
    assert swatches(got) == present-{here['CAMVID']['Road']}
    page.locator('.pv-class', has_text='Road').click()
    page.locator('.pv-canvas').focus()
    for view in ('errors', 'curtain'):
        page.get_by_role('button', name=view.capitalize(), exact=True).click()
        b.index,b.view = 1,view
        file,got = downloaded(page, tmp_path, lambda: page.keyboard.press('p'))
        off = np.abs(got[:96,:128].astype(int)-b.picture())
        if view == 'curtain': off[:,63:65] = 0 # the line
        assert file == f'b-{view}.png' and off.mean() < .1
    b.index,b.view = 0,'prediction'


@pytest.fixture(scope='module')
def many(here):  # noqa: F811
    "300 frames."
    return here['MaskBrowser'](here['imgs']*50, here['preds']*50, here['targs']*50, here['CAMVID'], names=[f'{i}.png' for i in range(300)])


@pytest.mark.parametrize('size', [(1280, 720), (700, 900), (400, 900)])
def test_a_grid_of_frames(made, many, size):
    page = made(many, *size)
    page.keyboard.press('g')
    page.wait_for_function("document.activeElement.matches('.pv-thumb[aria-current=true]')")
    assert page.locator('.pv-main').is_hidden() and page.evaluate('document.documentElement.scrollWidth') <= size[0]
    assert page.evaluate('document.documentElement.scrollHeight') <= size[1]
    at = page.locator('.pv-thumb').evaluate_all('all => all.map(e => { const m = new DOMMatrix(getComputedStyle(e).transform); return [m.f, m.e] }).sort((a, b) => a[0] - b[0] || a[1] - b[1])')
    columns = sum(y == 0 for y,_ in at)
    assert columns == (size[0]-44)//176 and len(at) <= columns*(size[1]//156+2) # as many as fit, and no more are made
    masked = "(() => { const d = document.querySelector('.pv-thumb[aria-current=true] canvas').getContext('2d').getImageData(82, 110, 1, 1).data; return Math.max(...d.slice(0, 3)) - Math.min(...d.slice(0, 3)) })()"
    page.wait_for_function(f'{masked} > 20') # purple road, not grey asphalt
    page.keyboard.press('ArrowDown')
    page.keyboard.press('ArrowRight')
    assert name(page) == f'{columns+1}.png'
    page.keyboard.press('End')
    page.wait_for_function("document.activeElement.title === '299.png' && document.activeElement.getBoundingClientRect().bottom <= innerHeight")
    page.keyboard.press('ArrowUp')
    page.wait_for_function("n => document.activeElement.title === n", arg=f'{299-columns}.png')
    page.locator('.pv-strip').evaluate('e => { e.scrollTop = 0 }') # by mouse: the focus does not get lost
    page.wait_for_selector('.pv-thumb[title="0.png"]')
    assert page.evaluate("document.activeElement.title") == f'{299-columns}.png'
    page.keyboard.press('Enter')
    page.wait_for_selector('.pv-main')
    assert name(page) == f'{299-columns}.png' and page.evaluate("document.activeElement.matches('.pv-canvas')")
    drawn(page)
    page.get_by_role('button', name='The frames as a grid (G)').click()
    page.locator('.pv-strip').evaluate('e => { e.scrollTop = 0 }')
    page.locator('.pv-thumb[title="2.png"]').click()
    assert name(page) == '2.png' and page.locator('.pv-main').is_visible()
    page.keyboard.press('g')
    page.keyboard.press('/')
    page.keyboard.type('29')
    assert page.locator('.pv-sieve [role=status]').inner_text() == '13 of 300 frames' # 29, 129, 229, 290 to 299
    page.locator('.pv-thumb').first.focus()
    page.keyboard.press('Escape')
    page.wait_for_selector('.pv-main')
    strip = page.locator('.pv-strip').bounding_box()
    assert strip['height'] < 120 and page.locator('.pv-thumb canvas').first.bounding_box()['width'] == pytest.approx(80)


def test_fullscreen(made, viewer):
    page = made(viewer, 1280, 720)
    before = page.locator('.pv-stage').bounding_box()['height']
    page.set_viewport_size(dict(width=1600, height=1100))
    page.keyboard.press('w')
    page.wait_for_function("document.fullscreenElement?.matches('.pv')")
    page.wait_for_function('h => document.querySelector(".pv-stage").clientHeight > h', arg=max(before, 620))
    box = page.locator('.pv').bounding_box()
    assert (box['x'], box['y'], box['width']) == (0, 0, 1600) and page.locator('.pv').evaluate('e => e.scrollHeight <= e.clientHeight')
    button = page.get_by_role('button', name='Fullscreen (W)')
    assert button.get_attribute('aria-pressed') == 'true'
    page.keyboard.press('Escape')
    page.wait_for_function('!document.fullscreenElement')
    button.click()
    page.wait_for_function("document.fullscreenElement?.matches('.pv')")
    button.click()
    page.wait_for_function("!document.fullscreenElement && document.querySelector('.pv-stage').clientHeight <= 620")


def test_python_sets_the_step_to_compare_with_and_hears_of_it(odd, here):  # noqa: F811
    look,preds,targs = odd
    page,pal = look(),here['CAMVID'].palette()
    page.keyboard.press('3')
    half = np.arange(128)[None,:] < 64
    clear = np.abs(np.arange(128)-63.5) > 2
    want = lambda right: pal[np.where(half, preds[0], right)][:,clear]
    for against,right in ((1, np.roll(preds[0], 40, 1)), (-1, targs[0])):
        page.evaluate("k => { model.set('against', k); model.say('change:against') }", against)
        for _ in range(100):
            if (see(page)[:,clear] == want(right)).all(): break
            page.wait_for_timeout(30)
        assert (see(page)[:,clear] == want(right)).all()
    page.locator('.pv-against').select_option('rolled')
    assert page.evaluate("model.get('against')") == -1 # looking sends nothing
    page.locator('.pv-name').hover()
    page.mouse.move(1, 1)
    assert page.evaluate("model.get('against')") == 1 # leaving does


FAILING = """
def fails(img):
    i = next(i for i,o in enumerate(imgs) if (o == img).all())
    if i == 3: raise RuntimeError('out of memory <here>')
    return preds[i]
MaskBrowser(imgs, fails, targs, names=names, labels=CAMVID)"""
LAZY = """
asked = []
def predict(img):
    asked.append(1)
    return preds[next(i for i,o in enumerate(imgs) if (o == img).all())]
b = MaskBrowser(imgs, predict, targs, names=names, labels=CAMVID)
b"""


def test_what_was_not_counted_is_counted_when_the_panel_opens_and_nothing_else_is_asked(lab, browser, here):  # noqa: F811
    url, work = lab
    (work/'set.ipynb').write_text(notebook(MAKE, LAZY, "open('asked', 'w').write(str(len(asked)))", FAILING))
    page = open_page(browser)
    run_in_lab(page, url, 'set.ipynb', 2)
    page.locator('.pv-canvas').focus()
    page.keyboard.press('a')
    page.wait_for_function("document.querySelector('.pv-sums')?.textContent.includes('of 6 frames') && document.querySelector('.pv-cell')", timeout=30000)
    b = here['MaskBrowser'](here['imgs'], here['preds'], here['targs'], here['CAMVID'])
    page.wait_for_function("x => document.querySelector('.pv-sums b').textContent === x", arg=f"{b.totals()['mean IoU']:.3f}", timeout=30000)
    page.wait_for_timeout(500)
    before = kernel_messages(page)
    cell(page, 'Car taken for Road').click()
    cell(page, 'Car taken for Road').click()
    cell(page, 'Tree taken for Building').hover()
    page.keyboard.press('/')
    page.keyboard.type('png')
    page.wait_for_timeout(300)
    told = page.evaluate("n => toKernel.filter(t => t.includes('comm_msg')).slice(n)", before)
    told = [re.sub(r'.*"data"', '', t, flags=re.S) for t in told]
    told = [t for t in told if '"ask"' not in t] # but for the frames themselves, which a function makes when somebody goes there
    assert len(told) <= 1 and all('"index"' in t for t in told) # where the reader is, and nothing of how he looks
    run_cell(page, 2)
    assert (work/'asked').read_text() == '6' # each photograph once, however often the panel, the order or the filter needed it
    page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.wait_for_selector('.pv', state='detached')
    run_cell(page, 3) # a frame that cannot be predicted is left out of the sum, and that is said
    drawn(page)
    page.locator('.pv-canvas').focus()
    page.keyboard.press('a')
    page.wait_for_function("document.querySelector('.pv-sums')?.textContent.includes('5 of 6 frames')", timeout=30000)
    assert 'out of memory <here>' in page.locator('.pv-note').inner_text()
    cell(page, 'Car taken for Road').click()
    page.locator('.pv-canvas').focus()
    page.keyboard.press('End') # what was not counted stands last
    page.wait_for_function("document.querySelector('.pv-legend').textContent.endsWith('not counted')")
    assert page.trouble == []
    page.close()
