"The labeller: what it learns, what it writes, and its editor in a real browser, whose kernel is this process."
import base64
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pixseg.io.files import PixsegWarning
from pixseg.io.images import open_image, read_mask
from pixseg.io.pairs import label_table, read_pair
from pixseg.io.sources import open_source
from pixseg.io.streets import draw_street
from pixseg.labels import CAMVID, PixsegError
from pixseg.modelfile import load_model
from pixseg.web.labeller import MaskEditor, Labeller, LabelView, UNPAINTED, editor_script, features_at, fit_strokes, pick_strokes, stroke_probs, unpack_runs
from pixseg.web.viewer import read_script

CHROMIUM = os.environ.get('PIXSEG_CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')


@pytest.fixture(scope='module')
def streets(): return [list(o) for o in zip(*[draw_street(s) for s in range(5)])]


def dots(targ, step=9):
    s = np.full(targ.shape, UNPAINTED, np.uint8)
    s[::step,::3] = targ[::step,::3]
    return s


@pytest.fixture
def lab(streets, tmp_path):
    lab = Labeller(streets[0], CAMVID, tmp_path/'lab')
    for i in range(3): lab.paint(i, dots(streets[1][i]))
    return lab


def test_only_what_is_needed_is_opened(streets, tmp_path, monkeypatch):
    from PIL import Image
    for i,img in enumerate(streets[0]): Image.fromarray(img).save(tmp_path/f'{i}.png')
    lab = Labeller([tmp_path/f'{i}.png' for i in range(5)], CAMVID, tmp_path/'lab')
    for i in (1, 3): lab.paint(i, dots(streets[1][i]))
    again,opened = Labeller([tmp_path/f'{i}.png' for i in range(5)], CAMVID, tmp_path/'lab'),[]
    img = Labeller.img
    monkeypatch.setattr(Labeller, 'img', lambda self, i: (opened.append(i), img(self, i))[1])
    assert again.touched == [1, 3]
    again.learn()
    assert set(opened) <= {0, 1, 3} # 0 is shown


def test_places_are_where_it_is_unsure(lab, streets):
    with pytest.raises(PixsegError, match='nothing was learnt yet'): lab.places(4)
    lab.learn()
    conf = lab.confidence(4)
    near = np.concatenate([conf[max(0, r-3):r+4, max(0, c-3):c+4].ravel() for r,c in lab.places(4)])
    assert len(lab.places(4, 3)) == 3 and near.mean() < conf.mean()-.1
    r,c = lab.places(4)[0]
    lab.paint(4, streets[1][4][max(0, r-8):r+9, max(0, c-8):c+9], max(0, r-8), max(0, c-8)) # a place that was painted is sure
    assert (r, c) not in lab.places(4)


def test_it_learns_and_strokes_win(lab, streets):
    with pytest.raises(PixsegError, match='nothing was learnt yet'): lab.mask(0)
    lab.learn()
    assert (lab.mask(4) == streets[1][4]).mean() > .75 # a street that nobody painted on
    first,before = lab.weights.clone(),lab.mask(0)
    lab.weights = None
    lab.learn()
    assert torch.equal(first, lab.weights) # deterministic
    lab.paint(0, np.full((4, 5), CAMVID['Fence'], np.uint8), 2, 3)
    assert (before[2:6,3:8] != CAMVID['Fence']).any() and (lab.mask(0)[2:6,3:8] == CAMVID['Fence']).all()
    assert (lab.confidence(0)[2:6,3:8] == 1).all() and lab.confidence(0).min() >= 0


def test_starting_from_the_last_answer_ends_at_the_same_one(lab, streets):
    (p, c), = pick_strokes([dots(streets[1][0])], CAMVID.void)
    x = features_at(lab.features(0), (96, 128), p)
    cold = fit_strokes(x, c, 12, steps=200)
    warm = fit_strokes(x, c, 12, start=cold+torch.where(cold.isfinite(), .01*torch.ones(()), cold*0).nan_to_num(), steps=200)
    a,b = (stroke_probs(lab.features(0), w, (96, 128)) for w in (cold, warm))
    assert (a-b).abs().mean() < 1e-3


def test_next_is_unsure_and_not_painted(lab):
    assert Labeller(lab.photos, CAMVID, None).next() == 1 # 0 is shown; by name
    lab.learn()
    assert lab.order()[0] in (3, 4) and sorted(lab.order()) == [0, 1, 2, 3, 4]


def test_strokes_outlive_the_process(lab, streets):
    again = Labeller(streets[0], CAMVID, lab.folder)
    assert all((a == b).all() for a,b in zip(again.strokes, lab.strokes))
    assert not list((lab.folder/'.strokes').glob('.*part'))


def test_the_folder_is_a_data_set(lab, streets, tmp_path):
    lab.learn()
    folder = lab.save()
    data = open_source(folder)
    pairs = [p for split in data.splits.values() for p in split]
    assert data.labels.names == CAMVID.names and len(pairs) == 3 # the two without a stroke stay out
    for i in range(3):
        assert (read_mask(folder/'labels'/f'image_{i:04d}.png') == lab.mask(i)).all()
        assert (open_image(folder/'images'/f'image_{i:04d}.png') == streets[0][i]).all()
    lab.save(every=True) # over its own
    assert len(list((folder/'labels').iterdir())) == 5


def test_outlines_go_out_and_come_back(lab, tmp_path):
    lab.learn()
    folder = lab.to_folder(tmp_path/'coco', to='coco')
    data = open_source(folder)
    pairs = [p for split in data.splits.values() for p in split]
    assert len(pairs) == 3 and not (tmp_path/'coco'/'labels').exists()
    names = data.labels.names
    for p in pairs:
        back,mask = np.array(names)[np.asarray(read_pair(p, label_table(data.labels, data.labels))[1])],lab.mask(int(p.img.stem[-4:]))
        assert (back == np.array(CAMVID.names)[mask]).mean() > .999
    with pytest.raises(PixsegError, match='coco'): lab.to_folder(tmp_path/'coco', to='coco') # what is there stays
    with pytest.raises(PixsegError, match='choose from'): lab.to_folder(tmp_path/'other', to='dots')


def test_nothing_of_a_user_is_replaced(lab, tmp_path):
    from PIL import Image
    lab.learn()
    theirs = tmp_path/'data'/'labels'/'image_0001.png'
    theirs.parent.mkdir(parents=True)
    Image.new('L', (128, 96), 3).save(theirs)
    with pytest.raises(PixsegError, match='no labeller wrote it, so it stays'): lab.to_folder(tmp_path/'data')
    assert [o.name for o in theirs.parent.iterdir()] == ['image_0001.png'] and not (tmp_path/'data'/'images').exists()
    theirs.unlink()
    (tmp_path/'data'/'codes.txt').write_text('Cat\nDog\n')
    with pytest.raises(PixsegError, match='names other classes'): lab.to_folder(tmp_path/'data')
    with pytest.raises(PixsegError, match='no labeller wrote it'): MaskEditor(lab.img(0), labels=CAMVID).save(tmp_path/'data'/'codes.txt')


def test_strokes_of_another_photograph_or_of_other_classes_are_refused(streets, tmp_path):
    a,b = streets[0][:2]
    first = Labeller([a], ['Cat', 'Grass'], tmp_path/'l')
    first.paint(0, np.zeros((9, 9), np.uint8))
    lab = Labeller([b], ['Cat', 'Grass'], None) # of the same size, and also called image_0000
    lab.folder = first.folder
    lab._strokes.clear() # it has looked at its first photograph already
    for _ in range(2): # and not taken for its own when asked again
        with pytest.raises(PixsegError, match='another photograph has this name'): lab.painted(0)
    with pytest.raises(PixsegError, match='another photograph has this name'): Labeller([b], ['Cat', 'Grass'], tmp_path/'l')
    with pytest.raises(PixsegError, match='of the classes Cat, Grass, in this order'): Labeller([a], ['Grass', 'Cat'], tmp_path/'l')
    more = Labeller([a], {0:'Cat', 1:'Grass', 2:'Dog'}, tmp_path/'l') # a new one at the end
    more.paint(0, np.full((9, 9), 2, np.uint8), 20, 20)
    assert (more.painted(0)[:9,:9] == 0).all() and (Labeller([a], ['Cat', 'Grass', 'Dog'], tmp_path/'l').painted(0)[20:29,20:29] == 2).all()
    with pytest.raises(PixsegError, match='of the classes Cat, Grass, Dog'): Labeller([a], ['Cat', 'Grass'], tmp_path/'l')
    with pytest.raises(PixsegError, match='counts from 0'): Labeller([a], {1:'Cat', 7:'Grass'}, None)


def test_a_mask_is_never_put_beside_another_photograph(lab, streets, tmp_path):
    from PIL import Image
    lab.learn()
    there = lab.to_folder(tmp_path/'data')
    other = Labeller(streets[0][::-1], CAMVID, tmp_path/'other') # the same names and sizes
    for i in range(3): other.paint(i, dots(streets[1][::-1][i]))
    other.learn()
    before = {p:p.read_bytes() for p in there.rglob('*') if p.is_file()}
    with pytest.raises(PixsegError, match='is there already and another photograph than image_0000'): other.to_folder(there)
    assert {p:p.read_bytes() for p in there.rglob('*') if p.is_file()} == before
    Image.fromarray(streets[0][0]).save(tmp_path/'a.png')
    files = Labeller(tmp_path/'a.png', CAMVID, tmp_path/'files')
    files.paint(0, dots(streets[1][0])); files.learn(); files.save()
    Image.fromarray(streets[0][1]).save(tmp_path/'a.png') # another picture under the same name
    with pytest.raises(PixsegError, match='another photograph has this name'): Labeller(tmp_path/'a.png', CAMVID, tmp_path/'files')


def test_one_damaged_file_does_not_end_a_folder(streets, tmp_path):
    from PIL import Image
    for i in (0, 2, 3): Image.fromarray(streets[0][i]).save(tmp_path/f'{i}.png')
    (tmp_path/'1.jpg').write_bytes(b'no photograph')
    files,make = [tmp_path/'1.jpg', *[tmp_path/f'{i}.png' for i in (0, 2, 3)]],lambda: Labeller(files, CAMVID, tmp_path/'lab')
    with pytest.warns(PixsegWarning, match='1.jpg cannot be read as an image.*the others are there'): lab = make()
    assert lab.widget.index == 1 # the first that can be read
    for i in (1, 2): lab.paint(i, dots(streets[1][i-1 or 0]))
    lab.learn()
    assert len(list((lab.to_folder(tmp_path/'every', every=True)/'labels').iterdir())) == 3 # all that can be read
    assert 0 not in lab.order() and lab.next() in (2, 3)
    lab.widget.index = 0 # what the browser asks for is answered in words
    assert '1.jpg cannot be read' in lab.widget.said
    strokes = tmp_path/'lab'/'.strokes'
    (strokes/'0.png').write_bytes((strokes/'0.png').read_bytes()[:50])
    with pytest.warns(PixsegWarning, match='0.png has strokes that cannot be read'): again = make()
    with pytest.raises(PixsegError, match='move it away, and paint 0 anew'): again.painted(1)
    assert again.touched == [2] # and the file stays as it is
    (tmp_path/'lab'/'.runs'/'x').mkdir(parents=True)
    (tmp_path/'lab'/'.runs'/'x'/'model.safetensors').write_bytes(b'cut')
    with pytest.warns(PixsegWarning, match='so the layer stands until the next training'): assert make().network is None
    for bad in ('', '{', '[1, 2]', 'null'):
        (strokes/'classes.json').write_text(bad)
        with pytest.raises(PixsegError, match='classes.json is damaged'): make()
    with pytest.raises(PixsegError, match='1.jpg cannot be read'): Labeller(tmp_path/'1.jpg', CAMVID, None)


def test_an_editor_goes_on_where_it_stopped(streets, tmp_path, capsys):
    img,targ,file = streets[0][0],streets[1][0],tmp_path/'mask.png'
    stroke = lambda ed, id, top: ed._on_stroke(dict(index=0, box=[0, top, 4, 1], seq=1), [np.array([id, 4], '<u4').tobytes()])
    first = MaskEditor(img, targ, CAMVID, file)
    stroke(first, CAMVID['Fence'], 0)
    before = first.mask.copy()
    with pytest.warns(PixsegWarning, match='is there already and is gone on with'): again = MaskEditor(img, targ, CAMVID, file) # the cell is run again
    assert (again.mask == before).all() and (MaskEditor(img, labels=CAMVID, path=file).mask == before).all()
    stroke(again, CAMVID['Car'], 5)
    assert (read_mask(file)[0,:4] == CAMVID['Fence']).all() and (read_mask(file)[5,:4] == CAMVID['Car']).all()
    keys = {o.widget._meta['key'] for o in (MaskEditor(img, labels=CAMVID), MaskEditor(streets[0][1], labels=CAMVID), MaskEditor(streets[0][1], labels=CAMVID, path=file.with_name('b.png')), again)}
    assert len(keys) == 4 # the browser keeps nobody's strokes for another's photograph


def test_refusals(streets, tmp_path):
    img = streets[0][0]
    with pytest.raises(PixsegError, match='no photographs to label'): Labeller([], CAMVID)
    with pytest.raises(PixsegError, match="name the classes, such as"): MaskEditor(img)
    with pytest.raises(PixsegError, match='256 classes, but a map of strokes has room for 255'): MaskEditor(img, labels=[f'c{i}' for i in range(256)])
    lab = Labeller([img], ['Cat', 'Grass'], None)
    with pytest.raises(PixsegError, match='no strokes yet'): lab.learn()
    lab.paint(0, np.zeros((9, 9), np.uint8))
    with pytest.raises(PixsegError, match='strokes of 1 class'): lab.learn()
    with pytest.raises(PixsegError, match='id 7 is painted, but the 2 labels'): lab.paint(0, np.full((2, 2), 7, np.uint8))
    with pytest.raises(PixsegError, match='does not lie in a photograph of 96x128'): lab.paint(0, np.zeros((9, 9), np.uint8), 90, 0)
    with pytest.raises(PixsegError, match='has no folder'): lab.save()
    with pytest.raises(PixsegError, match='mask is .4, 4. but its photograph'): MaskEditor(img, np.zeros((4, 4), np.uint8), CAMVID)
    with pytest.raises(PixsegError, match='the message was cut'): unpack_runs(b'', (2, 2))
    first = Labeller([img], ['Cat', 'Grass'], tmp_path/'l')
    first.paint(0, np.zeros((9, 9), np.uint8))
    with pytest.raises(PixsegError, match='another photograph has this name'): Labeller([img[:50]], ['Cat', 'Grass'], tmp_path/'l')


def test_a_network_takes_over(lab, streets):
    lab.learn()
    told = lab.train(epochs=1, progress=False)
    assert len(told['rows']) == 1 and lab.network is not None
    on = lab.painted(0) != UNPAINTED
    assert (lab.mask(0)[on] == streets[1][0][on]).all() # strokes win over it, too
    mask = lab.mask(4)
    again = Labeller(streets[0], CAMVID, lab.folder) # after the kernel was started again
    assert (again.mask(4) == mask).all()
    assert again.weights is None and again.order()[0] in (3, 4) and again.knows # by its doubt
    lab._on_learn(dict(live=True), ())
    assert lab.network is not None and 'the network stands' in lab.widget.said
    config = lambda o: json.loads((Path(o['out'])/'config.json').read_text())
    second = lab.train(epochs=1, progress=False)
    assert config(told)['init'] == 'camvid-encoder' and config(second)['init'] == str(Path(told['out'])/'model.safetensors')
    lab.learn()
    assert lab.network is None # the layer again


def test_a_network_without_a_file_cannot_be_gone_on_with(lab, streets):
    own = Labeller(streets[0], CAMVID, lab.folder, model=lab.model)
    own.learn()
    with pytest.raises(PixsegError, match='has no file: name the model to start from'): own.train(epochs=1)


# ---- in a browser

PAGE = """<!doctype html><html lang=en><meta charset=utf-8><title>labeller</title><style>:root {{ color-scheme: {scheme} }} {css}</style><body></body></html>"""
OPEN = """async ([js, state]) => {
  const bytes = v => v && v.b64 !== undefined ? Uint8Array.from(atob(v.b64), c => c.charCodeAt(0)) : v
  const open = v => v && typeof v === 'object' && !Array.isArray(v) && v.b64 === undefined ? Object.fromEntries(Object.entries(v).map(([k, o]) => [k, bytes(o)])) : bytes(v)
  const heard = {}, dirty = new Set(), fire = (name, ...a) => (heard[name] ?? []).forEach(f => f(...a))
  for (const k in state) state[k] = open(state[k])
  window.dead = false; window.waiting = 0
  const tell = async message => {
    if (window.dead) return
    window.waiting++
    const answer = JSON.parse(await window.toPython(JSON.stringify(message)))
    for (const k in answer.state) { state[k] = open(answer.state[k]); fire('change:' + k) }
    for (const m of answer.messages) fire('msg:custom', m, [])
    window.waiting--
  }
  const model = { get: k => state[k], set(k, v) { state[k] = v; dirty.add(k) }, on(n, f) { (heard[n] ??= []).push(f) }, off() {},
    save_changes() { if (dirty.size) tell({ set: Object.fromEntries([...dirty].map(k => [k, state[k]])) }); dirty.clear() },
    send(m, _, buffers = []) { tell({ message: m, buffers: buffers.map(b => btoa(String.fromCharCode(...new Uint8Array(b)))) }) } }
  const url = URL.createObjectURL(new Blob([js], { type: 'text/javascript' }))
  ;(await import(url)).default.render({ model, el: document.body })
}"""


STATE = 'index tool label size only opacity hint live said _meta _photo _frame _counts'.split()


def coded(o):
    if isinstance(o, (bytes, memoryview)): return dict(b64=base64.b64encode(bytes(o)).decode())
    return {k:coded(v) for k,v in o.items()} if isinstance(o, dict) else o


class Kernel:
    "What stands for a kernel: the page's messages go to `owner`, and come back as a widget's would."
    def __init__(self): self.owner,self.out,self.changed,self.log = None,[],{},[] # log: names of what was sent to the browser

    def serve(self, owner):
        self.owner = owner
        owner.widget.send = lambda m, buffers=None: self.out.append(m)
        owner.widget.observe(lambda c: self.changed.__setitem__(c.name, c.new), STATE)
        return self

    def state(self): return {k:coded(getattr(self.owner.widget, k)) for k in STATE}

    def hear(self, text):
        m = json.loads(text)
        self.out,self.changed = [],{}
        for k,v in m.get('set', {}).items(): setattr(self.owner.widget, k, v)
        for k in m.get('set', {}): self.changed.pop(k, None)
        if 'message' in m: self.owner._hear(m['message'], [base64.b64decode(b) for b in m['buffers']])
        self.log += self.changed
        return json.dumps(dict(messages=self.out, state={k:coded(v) for k,v in self.changed.items()}))


@pytest.fixture(scope='module')
def browser():
    playwright = pytest.importorskip('playwright.sync_api', reason='no playwright: `pip install playwright` to test the labeller in a browser')
    if not CHROMIUM: pytest.skip('no chromium: `apt-get install chromium`, or name one in PIXSEG_CHROMIUM')
    with playwright.sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        yield b
        b.close()


def open_editor(browser, owner, tmp_path, width=1280, scheme='light', context=None):
    "A page with the editor of `owner`, in a context whose storage outlives it."
    context = context or browser.new_context(viewport=dict(width=width, height=900), color_scheme=scheme)
    page = context.new_page()
    page.trouble,page.kernel = [],Kernel().serve(owner)
    page.on('pageerror', lambda e: page.trouble.append(str(e)))
    page.expose_function('toPython', lambda text: page.kernel.hear(text))
    file = tmp_path/'page.html'
    file.write_text(PAGE.format(css=owner.widget._css, scheme=scheme), encoding='utf-8')
    page.goto(file.as_uri())
    page.evaluate(OPEN, [owner.widget._js, page.kernel.state()])
    settled(page)
    return page


def settled(page):
    page.wait_for_function("window.waiting === 0 || window.dead")
    page.wait_for_timeout(60)


def spot(page, x, y, size=(96, 128)):
    "Where pixel (x, y) of the photograph lies on the page, at the scale that fits."
    r = page.locator('.pl-canvas').bounding_box()
    s = min(r['width']/size[1], r['height']/size[0])
    return r['x']+(r['width']-s*size[1])/2+x*s, r['y']+(r['height']-s*size[0])/2+y*s


def drag(page, *corners):
    page.mouse.move(*spot(page, *corners[0]))
    page.mouse.down()
    for c in corners[1:]: page.mouse.move(*spot(page, *c), steps=4)
    page.mouse.up()
    settled(page)


def test_brush_undo_redo_and_erase(browser, streets, tmp_path):
    lab = Labeller(streets[0], CAMVID, tmp_path/'lab')
    page = open_editor(browser, lab, tmp_path)
    page.locator('.pl-canvas').focus()
    page.keyboard.press('4') # the fourth class
    drag(page, (20, 80), (100, 80))
    assert (lab.painted(0)[80,20:100] == 3).all() and lab.painted(0)[40,60] == UNPAINTED
    kept = read_mask(lab.folder/'.strokes'/'image_0000.png')
    assert (kept == lab.painted(0)).all()
    after = lab.painted(0).copy()
    page.keyboard.press('e')
    drag(page, (60, 70), (60, 90))
    assert lab.painted(0)[80,60] == UNPAINTED and lab.painted(0)[80,30] == 3
    page.keyboard.press('Control+z'); settled(page)
    assert (lab.painted(0) == after).all()
    page.keyboard.press('Control+z'); settled(page)
    assert (lab.painted(0) == UNPAINTED).all()
    page.keyboard.press('Control+Shift+Z'); settled(page)
    assert (lab.painted(0) == after).all()
    assert page.evaluate('localStorage.length') == 0 and page.trouble == []


def test_keyboard_alone(browser, streets, tmp_path):
    lab = Labeller(streets[0], CAMVID, tmp_path/'lab')
    page = open_editor(browser, lab, tmp_path)
    page.locator('.pl-canvas').focus()
    press = lambda *keys: [page.keyboard.press(k) for k in keys]
    press('1', 'Enter', 'ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowUp', 'Enter')
    settled(page)
    assert (lab.painted(0) == 0).sum() > 100
    press('4', *['ArrowDown']*10, 'Shift+ArrowRight', 'Shift+ArrowRight')
    settled(page)
    assert (lab.painted(0) == 3).sum() > 100
    press('l')
    page.wait_for_function("document.querySelector('[role=status]').textContent.startsWith('learnt')", timeout=20000)
    assert lab.weights is not None
    press('n')
    page.wait_for_function("document.querySelector('.pv-place').textContent !== '1 of 5'", timeout=20000)
    settled(page)
    press('p', *['ArrowLeft']*5, 'Enter', *['ArrowRight']*3, 'Enter', *['ArrowDown']*3, 'Enter', *['ArrowUp']*3, *['ArrowLeft']*3, 'Enter')
    settled(page)
    assert (lab.painted(lab.widget.index) == 3).sum() > 50
    press('s'); settled(page)
    assert (lab.folder/'codes.txt').exists() and page.trouble == []


def test_polygon_region_and_only(browser, streets, tmp_path):
    img,targ = streets[0][0],streets[1][0]
    ed = MaskEditor(img, targ, CAMVID)
    page = open_editor(browser, ed, tmp_path)
    page.get_by_role('button', name='Polygon').click()
    page.get_by_role('radio', name='Fence').click()
    for x,y in ((10, 10), (40, 10), (40, 30), (10, 30), (10, 10)): page.mouse.click(*spot(page, x, y)); page.wait_for_timeout(450)
    settled(page)
    assert (ed.mask[11:29,11:39] == CAMVID['Fence']).all() and ed.mask[35,20] == targ[35,20]
    page.get_by_label('Paint only over').select_option(label='Fence')
    page.get_by_role('button', name='Brush').click()
    page.get_by_role('radio', name='Car').click()
    before = ed.mask.copy()
    drag(page, (5, 20), (60, 20))
    new = ed.mask == CAMVID['Car']
    assert (new & (before == CAMVID['Fence'])).sum() > 300 and (ed.mask[before != CAMVID['Fence']] == before[before != CAMVID['Fence']]).all()
    page.get_by_role('button', name='Undo').click(); settled(page)
    assert (ed.mask == before).all()
    page.get_by_label('Paint only over').select_option(label='anything')
    page.get_by_role('button', name='Region').click()
    page.mouse.click(*spot(page, 64, 2)); settled(page)
    assert (ed.mask == CAMVID['Car']).sum() > (before == CAMVID['Car']).sum()
    assert page.trouble == []


def test_superpixels_places_and_learning_by_itself(browser, streets, tmp_path):
    lab = Labeller(streets[0], CAMVID, tmp_path/'lab')
    page = open_editor(browser, lab, tmp_path)
    word = lambda start: page.wait_for_function("w => document.querySelector('[role=status]').textContent.startsWith(w)", arg=start, timeout=20000)
    page.get_by_role('button', name='Superpixel').click()
    page.get_by_role('radio', name='Sky').click()
    page.mouse.move(*spot(page, 64, 4)); page.wait_for_timeout(100)
    blank = lab.painted(0).copy()
    page.mouse.click(*spot(page, 64, 4)); settled(page)
    piece = (lab.painted(0) != blank).sum()
    assert 30 < piece < 600 # about 12 pixels wide
    word('paint a second class')
    page.get_by_role('radio', name='Road').click()
    page.mouse.click(*spot(page, 64, 90)); settled(page)
    word('learnt in')
    settled(page)
    assert lab.weights is not None # without a click on Learn
    page.locator('.pl-canvas').focus()
    page.keyboard.press('g')
    word('place 1 of')
    r,c = lab.places(0)[0]
    assert f', {c}, {r}: ' in page.locator('[role=status]').inner_text()
    page.keyboard.press('r') # the model's own region, at the place
    before = lab.painted(0).copy()
    page.keyboard.press('Enter'); settled(page)
    new = lab.painted(0) != before
    assert new[r,c] and len(set(lab.mask(0)[new].tolist())) == 1
    page.keyboard.press('Control+z'); settled(page)
    assert (lab.painted(0) == before).all()
    page.keyboard.press('v'); settled(page)
    assert not lab.widget.live and page.get_by_role('button', name='Live').get_attribute('aria-pressed') == 'false'
    sent = [k for k in page.kernel.log if k == '_photo']
    assert sent == [] and page.kernel.log.count('_frame') >= 1 # the photograph went once, at the start
    lab.weights = None
    page.get_by_role('button', name='Brush').click()
    drag(page, (20, 80), (100, 80))
    page.wait_for_timeout(900); settled(page)
    assert lab.weights is None and page.trouble == [] # switched off, it waits to be asked


def test_no_stroke_is_lost_when_kernel_or_page_dies(browser, streets, tmp_path):
    "Kernel or page is killed 50 times at random moments; at the end everything painted is on disk."
    rng,folder,classes = random.Random(0),tmp_path/'lab',[0, 1, 3, 4]
    context = browser.new_context(viewport=dict(width=900, height=900))
    want,model = np.full((96, 128), UNPAINTED, np.uint8),load_model('camvid-encoder')
    for turn in range(50):
        lab = Labeller(streets[0][:1], CAMVID, folder, model)
        page = open_editor(browser, lab, tmp_path, context=context)
        assert (lab.painted(0) == want).all(), f'a stroke was lost before turn {turn}'
        page.locator('.pl-canvas').focus()
        x,y,c = rng.randrange(10, 118),rng.randrange(10, 86),rng.choice(classes)
        page.keyboard.press(str(c+1))
        if rng.random() < .5: page.evaluate('window.dead = true') # the kernel dies before the stroke ends
        page.mouse.move(*spot(page, x, y)); page.mouse.down(); page.mouse.up()
        shown = page.evaluate("document.querySelector('[role=status]').textContent")
        assert shown.startswith('Brush') or 'learnt' in shown or 'sent again' in shown, shown
        stored = page.evaluate("Object.values(localStorage).map(v => JSON.parse(v)).flat()")
        if not page.evaluate('window.dead'): settled(page); want = lab.painted(0).copy()
        for stroke in stored: # what the browser keeps is what must come back
            left,top,w,h = stroke['box']
            want[top:top+h, left:left+w] = unpack_runs(np.array(stroke['runs'], '<u4').tobytes(), (h, w))
        assert (want[max(0, y-2):y+2, max(0, x-2):x+2] == c).all()
        page.close()


def test_names_roles_and_words_for_a_screen_reader(browser, streets, tmp_path):
    lab = Labeller(streets[0], CAMVID, tmp_path/'lab')
    page = open_editor(browser, lab, tmp_path)
    unnamed = page.evaluate("""[...document.querySelectorAll('button, input, select, canvas')].filter(e => e.offsetParent &&
        !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')?.textContent.trim())).map(e => e.outerHTML)""")
    assert unnamed == []
    assert page.locator('.pl-canvas').get_attribute('aria-label') == 'image_0000, Brush, Sky'
    page.get_by_role('radio', name='Road').click()
    assert page.get_by_role('radio', name='Road').get_attribute('aria-checked') == 'true'
    page.locator('.pl-canvas').focus()
    page.keyboard.press(']')
    assert page.locator('[role=status]').inner_text() == f'brush {lab.widget.size} pixels'
    page.keyboard.press('Tab') # the whole list of classes is one stop, as radio buttons are
    page.keyboard.press('ArrowDown')
    assert page.evaluate('document.activeElement.title') == 'Sidewalk' and page.get_by_role('radio', name='Sidewalk').get_attribute('aria-checked') == 'true'
    assert page.locator('[role=radio][tabindex="0"]').count() == 1


def test_a_hundred_and_fifty_classes(browser, streets, tmp_path):
    names = [f'{a}{b} thing' for a in ('oak', 'elm', 'ash', 'fir', 'yew') for b in range(30)]
    ed = MaskEditor(streets[0][0], labels=names)
    page = open_editor(browser, ed, tmp_path)
    r = page.locator('.pl').bounding_box()
    assert r['height'] < 900
    page.get_by_label('Find a class').fill('fir2')
    assert page.get_by_role('radio').count() == 11
    page.get_by_role('radio', name='fir22 thing').click()
    settled(page)
    assert ed.widget.label == names.index('fir22 thing') and page.trouble == []


@pytest.mark.parametrize('width', [1280, 700])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_it_fits_and_shows_what_the_model_fills_in(browser, lab, tmp_path, width, scheme):
    lab.learn()
    lab.widget._frame = lab._frame(0)
    page = open_editor(browser, lab, tmp_path, width, scheme)
    page.keyboard.press('Tab')
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    drawn = page.evaluate("(() => { const c = document.querySelector('.pl-canvas'); return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size })()")
    assert drawn > 50 and page.trouble == []
    if where := os.environ.get('PIXSEG_SHOTS'): page.screenshot(path=str(Path(where)/f'labeller_{scheme}_{width}.png'))


@pytest.mark.parametrize('size', [(1280, 720), (1100, 600)])
def test_the_whole_window_is_in_sight(browser, lab, tmp_path, size):
    "Toolbars, photograph, what is told and the classes fit a laptop's window; a high photograph as well as a wide one."
    tall = Labeller([np.ascontiguousarray(o.transpose(1, 0, 2)) for o in lab.photos], CAMVID, None)
    for owner in (lab, tall):
        page = open_editor(browser, owner, tmp_path, context=browser.new_context(viewport=dict(width=size[0], height=size[1])))
        r = page.locator('.pl').bounding_box()
        assert r['y'] >= 0 and r['y']+r['height'] <= size[1], r
        assert page.locator('.pl-canvas').bounding_box()['height'] > .4*size[1]
        for o in ('[role=status]', '.pv-class >> nth=-1'): assert page.locator(f'.pl {o}').count() == 1
        assert page.trouble == []


def test_an_output_as_high_as_its_content_is_no_frame(browser, lab, tmp_path):
    "JupyterLab's outputs may scroll, so a window that took their height for its room shrank to the least."
    page = open_editor(browser, lab, tmp_path)
    high = page.locator('.pl').bounding_box()['height']
    page.evaluate("() => { const e = document.querySelector('.pl'), o = document.createElement('div'); o.style.overflowX = 'auto'; e.before(o); o.append(e); window.dispatchEvent(new Event('resize')) }")
    settled(page)
    assert abs(page.locator('.pl').bounding_box()['height']-high) < 3 and high > 600


def test_python_and_browser_share_the_state(browser, lab, tmp_path):
    assert isinstance(lab.widget, LabelView) and set(STATE) <= set(LabelView.class_trait_names(sync=True))
    page = open_editor(browser, lab, tmp_path)
    page.get_by_role('button', name='Erase').click(); settled(page)
    assert lab.widget.tool == 'erase'
    page.get_by_role('button', name='Photograph after (Page down)').click(); settled(page)
    assert lab.widget.index == 1 and page.locator('.pv-name').inner_text() == 'image_0001'
    page.locator('.pl-canvas').hover()
    page.locator('.pl-canvas').click() # focus, or the wheel scrolls the page
    size = lab.widget.size
    page.mouse.wheel(0, -100); settled(page)
    assert lab.widget.size > size and page.trouble == []
    before = page.locator('.pv-number', has_text='×').inner_text()
    page.keyboard.down('Control'); page.mouse.wheel(0, -100); page.keyboard.up('Control'); settled(page)
    assert page.locator('.pv-number', has_text='×').inner_text() != before


def test_the_script_is_one_module():
    assert 'import {' not in editor_script().split('export default (() =>')[1] and read_script('labeller.js').count('export default') == 1
