"The page that predicts, opened from disk in a real browser: masks as `predict_mask` gives them, and no request but the file."
import io
import os
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from pixseg.calibration import confidence
from pixseg.io.images import read_mask
from pixseg.io.streets import draw_street
from pixseg.labels import PixsegError
from pixseg.modelfile import load_model
from pixseg.predict import predict_mask
from pixseg.web import page as made

CHROMIUM = os.environ.get('PIXSEG_CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
SHIPPED = 'camvid-unet', 'camvid-encoder'


def street(seed, h=96, w=128): return np.asarray(Image.fromarray(draw_street(seed)[0]).resize((w, h), Image.Resampling.BICUBIC))


def as_file(img, name, kind='PNG', **kwargs):
    f = io.BytesIO()
    Image.fromarray(img).save(f, kind, **kwargs)
    return dict(name=name, mimeType=f'image/{kind.lower()}', buffer=f.getvalue())


@pytest.fixture(scope='module')
def browser():
    playwright = pytest.importorskip('playwright.sync_api', reason='no playwright: `pip install playwright` to test the page in a browser')
    if not CHROMIUM: pytest.skip('no chromium: `apt-get install chromium`, or name one in PIXSEG_CHROMIUM')
    with playwright.sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])
        yield b
        b.close()


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    "A page of each model that comes with pixseg; skipped where the runtime is neither in the cache nor to be had."
    pytest.importorskip('onnxscript', reason='no onnxscript: `pip install onnx onnxscript` to make the page')
    try: made.find_runtime(os.environ.get('PIXSEG_ORT'))
    except PixsegError as e: pytest.skip(str(e))
    folder, there = tmp_path_factory.mktemp('pages'), {}
    def make(name):
        if name not in there:
            there[name] = made.save_page(load_model(name), folder/f'{name}.html', os.environ.get('PIXSEG_ORT'))
        return there[name]
    return make


def said(page, fits, seconds=90):
    "Wait until the status line fits; the page's policy forbids the evaluation that Playwright's own waiting needs."
    for _ in range(20*seconds):
        text = page.locator('#say').inner_text()
        if fits(text): return text
        page.wait_for_timeout(50)
    raise AssertionError(f"the page says {text!r}, {page.locator('#notes').inner_text()!r}")


@pytest.fixture(scope='module')
def opened(browser, pages):
    "Each page opened from disk, once, offline."
    there = {}
    def look(name):
        if name not in there:
            page = browser.new_page(viewport=dict(width=1280, height=900))
            page.asked, page.trouble = [], []
            page.on('request', lambda r: page.asked.append(r.url))
            page.on('pageerror', lambda e: page.trouble.append(str(e)))
            page.on('console', lambda m: page.trouble.append(m.text) if m.type == 'error' else None)
            page.context.set_offline(True)
            page.goto(pages(name).as_uri())
            assert said(page, lambda t: not t.startswith('Starting')).startswith('Ready')
            there[name] = page
        return there[name]
    yield look
    for page in there.values(): page.close()


def mask_of(page, tmp_path, *files):
    "Give a page photographs, wait for the last, and save its mask: the mask and what the page said."
    page.locator('#file').set_input_files(list(files))
    words = said(page, lambda t: t.startswith(files[-1]['name']+':') and re.search(r', \d+\.\d s$', t))
    with page.expect_download() as d: page.locator('#save').click()
    d.value.save_as(tmp_path/'mask.png')
    return read_mask(tmp_path/'mask.png'), words


@pytest.mark.parametrize('name', SHIPPED)
def test_masks_are_those_of_predict_mask(opened, tmp_path, name, monkeypatch):
    "In 32 bits, as a page computes: where a processor has bfloat16, Python rounds, and a few percent of the pixels of a drawn street may change."
    monkeypatch.setattr('pixseg.predict.pick_precision', lambda device: torch.float32)
    page, model = opened(name), load_model(name)
    for i, (h, w) in enumerate([(96, 128), (360, 480), (501, 333), (97, 351), (605, 1701)]):
        img = street(700+i, h, w)
        got, words = mask_of(page, tmp_path, as_file(img, f'{h} {w}.png'))
        want = predict_mask(model, img)
        print(name, words, f'{(got == want).mean():.4%}')
        assert got.shape == want.shape and (got == want).mean() > .995
    assert [u for u in page.asked if not u.startswith('blob:')] == [page.url] and page.trouble == []


def test_the_viewer_shows_shares_and_confidence(opened, tmp_path):
    page, model = opened('camvid-unet'), load_model('camvid-unet')
    img = street(720, 120, 200)
    got, _ = mask_of(page, tmp_path, as_file(img, 'shares.png'))
    for name, i in (('Sky', 0), ('Road', 3)):
        shown = page.locator('.pv-classes li', has_text=name).first.locator('.pv-number').first.inner_text()
        assert abs(float(shown.rstrip('%'))-100*(got == i).mean()) < .06
    assert page.locator('.pv-name').inner_text() == 'shares.png'
    page.get_by_role('button', name='Confidence', exact=True).click()
    box, conf = page.locator('.pv-canvas').bounding_box(), confidence(model, img)[1]
    s = min(box['width']/200, box['height']/120)
    for y, x in ((10, 100), (60, 30), (100, 150)):
        page.mouse.move(box['x']+(box['width']-200*s)/2+(x+.5)*s, box['y']+(box['height']-120*s)/2+(y+.5)*s)
        words = page.locator('.pv-read').inner_text()
        assert abs(int(re.search(r'confidence\s+(\d+)%', words)[1])-100*conf[y, x]) < 2.5, words


def test_pieces_jpeg_and_a_turned_photograph(opened, tmp_path):
    page, model = opened('camvid-unet'), load_model('camvid-unet')
    page.locator('#tile').check()
    img = street(730, 700, 1000)
    got, words = mask_of(page, tmp_path, as_file(img, 'tiled.png'))
    assert 'in pieces of 896 x 672' in words and (got == predict_mask(model, img, tile=True)).mean() > .995
    page.locator('#tile').uncheck()
    turned = Image.Exif()
    turned[274] = 6
    photo = as_file(street(731, 240, 360), 'turned.jpg', 'JPEG', exif=turned, quality=90)
    got, _ = mask_of(page, tmp_path, photo)
    want = predict_mask(model, io.BytesIO(photo['buffer']))
    assert got.shape == want.shape == (360, 240) and (got == want).mean() > .99 # browsers and Pillow decode a JPEG a little differently


def test_what_is_no_photograph_is_told_and_the_others_go_on(opened, tmp_path):
    page = opened('camvid-unet')
    bad, tiny = dict(name='<b>notes.txt', mimeType='text/plain', buffer=b'none'), as_file(street(740, 4, 5), 'tiny.png')
    got, _ = mask_of(page, tmp_path, bad, tiny, as_file(street(741), 'good.png'))
    notes = page.locator('#notes li').all_inner_texts()
    assert got.shape == (96, 128) and len(notes) == 2
    assert 'cannot read this as a photograph' in notes[0] and 'the photograph is 4x5' in notes[1] and 'at least' in notes[1]


def test_the_camera_takes_a_picture_by_keyboard(opened):
    page = opened('camvid-unet')
    page.locator('#camera').focus()
    page.keyboard.press('Enter')
    page.locator('#live').wait_for(state='visible')
    assert page.evaluate('document.activeElement.id') == 'shoot'
    page.wait_for_timeout(1000)
    page.keyboard.press('Enter')
    said(page, lambda t: t.startswith('camera ') and t.endswith(' s'))
    assert page.locator('#live').is_hidden() and page.locator('.pv-name').inner_text().startswith('camera ')


def test_the_page_says_what_it_is(opened):
    page = opened('camvid-encoder')
    for e in page.locator('details').all(): e.locator('summary').click()
    words = page.locator('main').inner_text()
    for part in ('IoU below 0.5 on val: Pole', 'CC BY-NC 4.0: research use only', 'Cyclist', 'Copyright (c) Microsoft Corporation', 'THE SOFTWARE IS PROVIDED'):
        assert part in words
