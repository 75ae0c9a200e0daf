"The viewer as a reader meets it: keys, focus, many classes, a small window, a notebook opened again, a slow network."
import json

import numpy as np
import pytest
from test_viewer import (CHROMIUM, CONTRAST, MAKE, browser, drawn, drag, here, hover, kernel_messages, lab, notebook, open_page, run_cell, run_in_lab,  # noqa: F401
                         saved, shows, view, words)

pytestmark = pytest.mark.skipif(not CHROMIUM, reason='no chromium: `apt-get install chromium`, or name one in PIXSEG_CHROMIUM')
SLOW = """
import time
asked = []
def predict(img):
    time.sleep(.06)
    i = next(i for i,o in enumerate(many) if (o == img).all())
    asked.append(i)
    return np.roll(many_targs[i], 60 if i == 17 else 1, 1) # one is far worse than the others
many,many_targs = map(list, zip(*[draw_street(s) for s in range(940, 980)]))
b = MaskBrowser(many, predict, many_targs, names=[f'{i}.png' for i in range(40)], labels=CAMVID, budget=1)
b"""


def name(page): return page.locator('.pv-name').inner_text()


def leave(page): page.mouse.move(1, 1) # as one does who goes to a cell


def order(page, value): page.locator('.pv-order').select_option(value)


def test_scoring_leaves_the_kernel_free_and_ends_at_the_worst(lab, browser):  # noqa: F811
    url, work = lab
    (work/'slow.ipynb').write_text(notebook(MAKE, SLOW, "open('heard', 'w').write(str(len(asked)))"))
    page = open_page(browser)
    run_in_lab(page, url, 'slow.ipynb', 2)
    page.evaluate("""() => { const note = document.querySelector('.pv-note')
        window.said = []; new MutationObserver(() => said.push(note.textContent)).observe(note, {childList: true, characterData: true, subtree: true}) }""")
    order(page, 'worst IoU')
    page.wait_for_function("/scoring [1-9][0-9]* of 40/.test(document.querySelector('.pv-note').textContent)", timeout=5000)
    assert page.evaluate('said[0]') == 'scoring 40 frames …' # the first word is the browser's, which waits for nobody
    run_cell(page, 2) # another cell has its turn meanwhile
    assert int((work/'heard').read_text()) < 35
    page.wait_for_function("document.querySelector('.pv-note').textContent === ''", timeout=30000)
    assert name(page) == '17.png' and page.locator('.pv-place').inner_text() == '1 of 40'
    run_cell(page, 1) # anew: somebody who goes elsewhere while frames are counted stays there
    drawn(page)
    order(page, 'worst IoU')
    page.wait_for_function("/scoring [1-9][0-9]* of 40/.test(document.querySelector('.pv-note').textContent)", timeout=5000)
    page.locator('.pv-canvas').focus()
    page.keyboard.press('ArrowRight')
    where = name(page)
    page.wait_for_function("document.querySelector('.pv-note').textContent === ''", timeout=30000)
    assert name(page) == where != '17.png'
    assert page.trouble == []
    page.close()


def test_python_and_the_browser_stay_together(lab, browser):  # noqa: F811
    url, work = lab
    tell = "import json; json.dump([b.view, b.opacity, b.off, b.shown, b.flagged, b.picture().tolist()], open('told', 'w'))"
    show = 'b = MaskBrowser(imgs, preds, targs, names=names, labels=CAMVID, conf=confs)\nb'
    (work/'both.ipynb').write_text(notebook(MAKE, show, tell, "b.view = 'prediction'; b.opacity = .25; b.off = []; b.flagged = [3]"))
    page = open_page(browser)
    run_in_lab(page, url, 'both.ipynb', 2)
    before = kernel_messages(page)
    drag(page, '.pv input[aria-label^=Opacity]', (.5, .5), (.999, .5))
    view(page, 'Truth')
    page.locator('.pv-class', has_text='Road').click()
    page.locator('.pv-canvas').focus()
    page.keyboard.press('f')
    assert kernel_messages(page)-before == 1 # the flag; how one looks is told when one leaves, in one message
    leave(page)
    page.wait_for_timeout(600) # the widget manager may wait for the kernel's answer to the last one
    assert kernel_messages(page)-before == 2
    run_cell(page, 2)
    seen,opacity,off,shown,flagged,picture = json.loads((work/'told').read_text())
    assert (seen, off, shown, flagged) == ('truth', ['Road'], True, [0]) and opacity == pytest.approx(1, abs=.02)
    shows(page, np.array(picture), tolerance=3)
    page.locator('.pv-canvas').focus()
    page.keyboard.press('Space')
    page.evaluate('document.activeElement.blur()') # by keyboard
    run_cell(page, 2)
    shows(page, np.array(json.loads((work/'told').read_text())[5]), tolerance=4) # the bare photograph
    page.locator('.pv-canvas').focus()
    page.keyboard.press('Space')
    run_cell(page, 3)
    page.wait_for_function("document.querySelector('.pv-field .pv-number').textContent === '25%'")
    assert page.locator('.pv-group [aria-pressed=true]').inner_text() == 'Prediction'
    assert page.locator('.pv-class[aria-pressed=false]').count() == 0
    assert page.locator('.pv-flagged').evaluate_all('all => all.map(e => e.title)') == ['d.png']
    assert page.trouble == []
    page.close()


def test_keys_after_a_slider_act_on_the_viewer(saved, here):  # noqa: F811
    page = saved[0](1360, 500) # so low that the page could scroll
    drag(page, '.pv input[aria-label^=Opacity]', (.9, .5), (.5, .5))
    scrolled,percent = page.evaluate('scrollY'),lambda: page.locator('.pv-field .pv-number').first.inner_text()
    half = percent()
    page.keyboard.press('Space')
    assert percent() == '0%' and page.evaluate('scrollY') == scrolled
    page.keyboard.press('Space')
    page.keyboard.press('ArrowRight')
    assert (percent(), name(page)) == (half, here['names'][1])
    page.locator('.pv input[aria-label^=Opacity]').focus() # who came by Tab means the slider
    page.keyboard.press('ArrowRight')
    assert percent() != half and name(page) == here['names'][1]
    page.keyboard.press('Space')
    assert percent() == '0%' and page.evaluate('scrollY') == scrolled
    assert page.trouble == []


def test_the_focus_stays_at_the_ends(saved, here):  # noqa: F811
    page = saved[0]()
    button = page.get_by_role('button', name='Next frame (right arrow)')
    button.focus()
    for _ in range(7): page.keyboard.press('Enter')
    assert name(page) == here['names'][5] and button.get_attribute('aria-disabled') == 'true'
    assert button.evaluate('e => document.activeElement === e')
    page.keyboard.press('ArrowLeft')
    assert name(page) == here['names'][4]


def test_a_screen_reader_hears_the_frame_and_what_is_on_it(saved, here):  # noqa: F811
    page = saved[0]()
    live,canvas = page.locator('.pv [aria-live=polite]:not(.pv-read)'),page.locator('.pv-canvas')
    canvas.focus()
    page.keyboard.press('ArrowRight')
    page.wait_for_function("document.querySelector('.pv-canvas').ariaLabel.includes('%')")
    assert live.inner_text() == f"{here['names'][1]}, 2 of 6"
    shares = np.bincount(here['preds'][1].ravel(), minlength=12)/here['preds'][1].size
    big = here['CAMVID'].names[shares.argmax()]
    assert canvas.get_attribute('aria-label').startswith(f"{here['names'][1]}, prediction: {big} {100*shares.max():.0f}%")
    page.keyboard.press('f')
    assert live.inner_text().endswith('flagged')
    for scheme in ('light', 'dark'):
        page.emulate_media(color_scheme=scheme)
        assert page.locator('.pv-absent').count() > 0 and page.evaluate(CONTRAST, '.pv-absent .pv-label') > 4.5
        opacity = "e => { let o = 1; for (; e; e = e.parentElement) o *= getComputedStyle(e).opacity; return o }"
        assert page.locator('.pv-absent .pv-label').first.evaluate(opacity) == page.locator('.pv-absent .pv-number').first.evaluate(opacity) == 1


def test_keys_look_along_when_zoomed_in(saved, here):  # noqa: F811
    page = saved[0]()
    page.locator('.pv-canvas').focus()
    for _ in range(3): page.keyboard.press('+')
    page.keyboard.press('Shift+ArrowRight')
    assert 'x 65, y 48' in words(page)
    scale = float(page.locator('.pv-number[title^=Screen]').inner_text().rstrip('×'))
    step = page.locator('.pv-canvas').bounding_box()['width']/scale/20
    page.keyboard.press('ArrowRight')
    assert int(words(page).rsplit('x ', 1)[1].split(',')[0]) == pytest.approx(65+step, abs=1) and name(page) == here['names'][0]
    page.keyboard.press('PageDown')
    assert name(page) == here['names'][1]


def test_flags(saved, here):  # noqa: F811
    page = saved[0]()
    page.locator('.pv-canvas').focus()
    marked = lambda: sorted(page.locator('.pv-flagged').evaluate_all('all => all.map(e => e.title)'))
    page.wait_for_function('document.querySelectorAll(".pv-thumb").length === 6')
    page.keyboard.press('f')
    page.keyboard.press('End')
    button = page.get_by_role('button', name='Flag this frame (F)')
    assert button.get_attribute('aria-pressed') == 'false'
    button.click()
    assert button.get_attribute('aria-pressed') == 'true'
    page.wait_for_function('document.querySelectorAll(".pv-flagged").length === 2')
    assert marked() == sorted([here['names'][0], here['names'][5]])
    page.keyboard.press('f')
    page.wait_for_function('document.querySelectorAll(".pv-flagged").length === 1')
    assert marked() == [here['names'][0]]


@pytest.fixture(scope='module')
def crowd(browser, here, tmp_path_factory):  # noqa: F811
    "A page with 150 classes, whose names differ only at their ends."
    from pixseg.labels import Labels
    labels = Labels(tuple(f'a thing that was found in the street no. {i:03}' for i in range(150)))
    b = here['MaskBrowser'](here['imgs'], here['preds'], here['targs'], labels, names=here['names'])
    file = tmp_path_factory.mktemp('crowd')/'look.html'
    page = open_page(browser)
    page.set_viewport_size(dict(width=1280, height=720))
    page.goto(b.save(file).as_uri())
    drawn(page)
    yield page
    page.close()


def test_150_classes_fit_and_are_told_apart(crowd):
    page = crowd
    assert page.locator('.pv').bounding_box()['height'] <= 720
    assert page.evaluate('document.documentElement.scrollHeight') <= 720
    tail = page.locator('.pv-tail-of').nth(7)
    assert tail.inner_text().endswith('007') and tail.evaluate("""e => { const r = e.getBoundingClientRect(), row = e.closest('.pv-class').getBoundingClientRect()
        return e.scrollWidth <= e.clientWidth && r.right <= row.right && r.left > row.left }""")
    assert page.locator('.pv-class').nth(7).get_attribute('title').startswith('a thing that was found in the street no. 007')
    stops = page.evaluate("[...document.querySelectorAll('.pv button, .pv input, .pv select, .pv [tabindex]')].filter(e => e.tabIndex === 0 && e.checkVisibility()).length")
    assert stops <= 24
    assert page.locator('.pv-class[tabindex="0"]').count() == 1


def test_150_classes_by_key_and_by_search(crowd):
    page = crowd
    shown = lambda: page.locator('.pv-classes li:visible').count()
    search,focused = page.get_by_role('searchbox', name='Find a class'),lambda: page.evaluate('document.activeElement.dataset.id')
    search.fill('No. 14')
    assert shown() == 10
    search.press('Tab')
    assert focused() == '140'
    page.keyboard.press('ArrowDown')
    page.keyboard.press('Space')
    assert page.locator('.pv-class[aria-pressed=false]').count() == 1 and focused() == '141'
    page.keyboard.press('Space')
    page.keyboard.press('s')
    assert page.locator('.pv-class[aria-pressed=true]').count() == 1
    page.keyboard.press('s')
    page.keyboard.press('End')
    assert focused() == '149'
    search.fill('')
    assert shown() == 150
    page.locator('.pv-class').first.focus()
    page.keyboard.press('End')
    assert focused() == '149' and page.locator('.pv-class').nth(149).evaluate("""e => { const r = e.getBoundingClientRect(), l = e.closest('ul').getBoundingClientRect()
        return r.top >= l.top - 1 && r.bottom <= l.bottom + 1 }""")
    assert page.trouble == []


def test_few_classes_have_no_search(saved):  # noqa: F811
    assert saved[0]().locator('.pv-find').is_hidden()


@pytest.mark.parametrize('size', [(1280, 720), (1100, 600)])
def test_the_viewer_fits_a_laptop(saved, size):  # noqa: F811
    page = saved[0](*size)
    box = page.locator('.pv').bounding_box()
    assert box['height'] <= size[1] and page.evaluate('document.documentElement.scrollHeight') <= size[1]
    strip = page.locator('.pv-strip').bounding_box()
    assert strip['y']+strip['height'] <= size[1] and page.locator('.pv-stage').bounding_box()['height'] >= 160


def test_height_is_obeyed(browser, here, tmp_path):  # noqa: F811
    b = here['MaskBrowser'](here['imgs'], here['preds'], here['targs'], here['CAMVID'], names=here['names'], height=560)
    page = open_page(browser)
    page.goto(b.save(tmp_path/'low.html').as_uri())
    drawn(page)
    assert page.locator('.pv').bounding_box()['height'] == pytest.approx(560, abs=45) # the list of classes ends with the frame
    page.close()
