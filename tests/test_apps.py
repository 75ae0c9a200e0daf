"The apps in a real browser: a network that is watched while it trains, its U to click on, and files to upload."
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from test_viewer import browser, lab, notebook, open_page, pytestmark # noqa: F401  (skips with it where there is no chromium)

START = """
import time, torch
from pathlib import Path
from fastai.callback.core import Callback
from pixseg.web.explorer import FeatureExplorer
from pixseg.web.monitor import TrainMonitor
from pixseg.web.predict_app import PredictApp
from pixseg.data import seg_dls
from pixseg.encoder import EncoderUNet
from pixseg.labels import CAMVID
from pixseg.io.streets import draw_street, draw_streets
from pixseg.learner import seg_learner
from pixseg.unet import UNet
torch.manual_seed(0)
net = UNet(CAMVID.n, width=8, depth=3)
net.labels,net.size = CAMVID,(96,128)
explorer = FeatureExplorer(net, *draw_street(903))
explorer
"""
APP = "app = PredictApp(net, {'a street':draw_street(904)[0], '<i>b</i>':draw_street(905)[0]})\napp"
# The cell holds still twice in the middle of the training until a file appears, so that the browser is tried while it runs.
TRAIN = """
dls = seg_dls(draw_streets(Path('streets'), train=16, val=4, test=1), bs=4, device='cpu')
monitor = TrainMonitor(n=3, every=0)
class HoldStill(Callback):
    order,run_valid = 70,False
    def after_batch(self):
        n = len(monitor.losses)
        if n in (6, 10): Path(f'holding {n}').touch()
        while n in (6, 10) and not Path(f'go on {n}').exists(): time.sleep(.02)
learn = seg_learner(dls, UNet(CAMVID.n, width=8, depth=2), lr=1e-2)
learn.fit_one_cycle(3, cbs=[monitor, HoldStill()])
"""
AFTER = "print('epochs:', monitor.steps, 'looked at:', explorer.part)"


@pytest.fixture(scope='module')
def page(browser, lab): # noqa: F811
    "The notebook with all three apps, its last cell held in the middle of a training."
    url, work = lab
    (work/'apps.ipynb').write_text(notebook(START, APP, TRAIN, AFTER))
    page = open_page(browser)
    page.set_viewport_size(dict(width=1360, height=3600)) # Lab draws only the cells that are in sight
    page.goto(f'{url}/lab/tree/apps.ipynb?reset')
    page.wait_for_function('window.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 0 '
                           '&& window.jupyterapp.shell.currentWidget.sessionContext.isReady', timeout=30000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }") # not awaited: it holds still
    wait(page, lambda: (work/'holding 6').exists())
    page.wait_for_selector('.pv-canvas', timeout=30000)
    yield page
    for n in (6, 10): (work/f'go on {n}').touch()
    page.close()


def wait(page, what, seconds=60):
    for _ in range(seconds*20):
        if what(): return
        page.wait_for_timeout(50)
    raise AssertionError(f'waited {seconds} s in vain; errors in the page: {page.trouble}; output: '
                         f'{page.locator(".jp-OutputArea-output").all_inner_texts()}')


def shot(page, name):
    if os.environ.get('PIXSEG_SHOTS'): page.screenshot(path=str(Path(os.environ['PIXSEG_SHOTS'])/f'{name}.png'))


def canvas(page): # the viewer's pixels, as one number
    return page.evaluate("""() => { const c = document.querySelector('.pv-canvas')
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data
        let sum = 0; for (let i = 0; i < d.length; i += 97) sum = (sum*31 + d[i]) % 1000003; return sum }""")


def test_another_frame_while_it_trains(page):
    wait(page, lambda: 'step 6 of 12' in page.locator('.widget-html', has_text='of 12').first.inner_text())
    assert page.locator('.jp-OutputArea-output svg[aria-label^="training loss"] polyline').count() >= 3 # one epoch is there
    name, before = page.locator('.pv-name').inner_text(), canvas(page)
    page.locator('.pv button[title^="Next frame"]').click()
    wait(page, lambda: page.locator('.pv-name').inner_text() != name and canvas(page) != before, 10)
    assert page.locator('.pv-steps input').get_attribute('max') == '1' # the start and epoch 1
    shot(page, 'training')


def test_the_u_answers_while_it_trains(page):
    title = page.locator('.px-explorer h4')
    assert title.inner_text() == 'up 3: 8 maps of 96x128'
    before = page.locator('.px-explorer .sheet img').first.get_attribute('src')
    page.locator('.px-explorer .box[data-part="down 2"] rect').last.click()
    assert title.inner_text() == 'down 2: 16 maps of 48x64'
    maps = page.locator('.px-explorer .sheet img')
    assert maps.count() == 12 and maps.first.get_attribute('src') != before
    assert maps.first.evaluate('i => i.complete && [i.naturalWidth, i.naturalHeight]') == [64, 48]
    page.keyboard.press('ArrowRight') # from box to box, in the order in which the data flow
    assert title.inner_text() == 'pool 2: 16 maps of 24x32'
    assert page.evaluate('document.activeElement.dataset.part') == 'pool 2'
    assert page.locator('.px-explorer .box[aria-checked=true]').count() == 1


def test_a_map_can_be_laid_over_the_photograph(page):
    page.locator('.px-explorer .box[data-part="up 3"]').press('Enter')
    page.locator('.px-explorer .box[data-part="up 3"] rect').last.click()
    assert page.locator('.px-explorer .picture').count() == 3 # with the skip, without, the difference
    first = page.locator('.px-explorer .sheet button').first
    first.focus()
    page.keyboard.press('Enter')
    assert page.locator('.px-explorer .large img').count() == 2
    page.locator('.px-explorer .large input').fill('0.2')
    assert page.locator('.px-explorer .large img').last.evaluate('i => getComputedStyle(i).opacity') == '0.2'
    shot(page, 'explorer')
    first.click()
    assert page.locator('.px-explorer .large').count() == 0


def test_new_masks_form_while_the_cell_runs(page, lab): # noqa: F811
    "The second epoch ends; its masks are on the canvas while `fit` stands in the third."
    before = canvas(page)
    (lab[1]/'go on 6').touch()
    wait(page, lambda: (lab[1]/'holding 10').exists())
    wait(page, lambda: page.locator('.pv-stepname').inner_text() == 'epoch 2' and canvas(page) != before, 10)
    assert page.locator('.pv-steps input').get_attribute('max') == '2'
    newest = canvas(page)
    page.locator('.pv-steps input').fill('0') # back to the start and on to the newest again, with no kernel to help
    wait(page, lambda: canvas(page) not in (before, newest), 10)
    page.locator('.pv-steps input').fill('2')
    wait(page, lambda: canvas(page) == newest, 10)
    prompts = page.locator('.jp-CodeCell .jp-InputPrompt').all_inner_texts()
    assert prompts[2:] == ['[*]:', '[*]:'] and not (lab[1]/'go on 10').exists() # still running, and the next cell waits


def test_curves_and_masks_come_in_until_the_end(page, lab): # noqa: F811
    before = canvas(page)
    (lab[1]/'go on 10').touch()
    wait(page, lambda: 'done: 3 epochs, 12 steps' in page.locator('.widget-html', has_text='epochs').first.inner_text())
    wait(page, lambda: page.locator('.pv-steps input').get_attribute('max') == '3', 10)
    wait(page, lambda: canvas(page) != before, 10) # the newest masks, of the frame that was gone to
    newest = canvas(page)
    page.locator('.pv-steps input').fill('0')
    wait(page, lambda: canvas(page) != newest, 10)
    wait(page, lambda: "looked at: up 3" in page.locator('.jp-OutputArea-output').last.inner_text(), 10)


def png(seed=0):
    f = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (50, 70, 3), np.uint8)).save(f, 'PNG')
    return f.getvalue()


def upload(page, app, name, data, mime='image/png'):
    with page.expect_file_chooser() as chosen: app.locator('.pixseg-upload').click()
    chosen.value.set_files(dict(name=name, mimeType=mime, buffer=data))


def test_a_good_and_a_bad_file(page):
    app = page.locator('.jp-Cell', has=page.locator('.pixseg-upload')).first
    message = app.locator('.widget-html').first
    upload(page, app, 'mine.png', png())
    wait(page, lambda: 'mine.png: 50x70 pixels' in message.inner_text())
    assert app.locator('.pv-name').inner_text() == 'mine.png'
    upload(page, app, '<b>notes</b>.txt', b'no picture', 'text/plain')
    wait(page, lambda: '<b>notes</b>.txt cannot be read as an image' in message.inner_text()) # as text, not as a tag
    assert app.locator('.pv-name').inner_text() == 'mine.png' # nothing is lost
    shot(page, 'app')
    app.locator('.widget-dropdown select').nth(1).select_option('a street')
    wait(page, lambda: 'a street: 96x128' in message.inner_text())
    assert page.trouble == []


def noise(h, w, format, **kwargs):
    "A photograph of that size that no format makes small."
    f = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (h, w, 3), np.uint8)).save(f, format, **kwargs)
    return f.getvalue()


def test_a_file_too_large_to_be_sent(page, tmp_path):
    "7d29f36 lost its connection over 24 MB and said nothing: now the browser shrinks, or refuses what it cannot read."
    app = page.locator('.jp-Cell', has=page.locator('.pixseg-upload')).first
    message = app.locator('.widget-html').first
    large = tmp_path/'large.png'
    large.write_bytes(noise(2400, 3400, 'PNG'))
    assert large.stat().st_size > 24e6
    with page.expect_file_chooser() as chosen: app.locator('.pixseg-upload').click()
    chosen.value.set_files(large)
    wait(page, lambda: 'large.png: 2400x3400 pixels, masked at 904x1280' in message.inner_text())
    wait(page, lambda: app.locator('.widget-dropdown select').nth(1).evaluate('s => s.selectedOptions[0].textContent') == 'large.png') # a message of its own
    turned = Image.Exif()
    turned[274] = 6 # a telephone held upright
    phone = tmp_path/'phone.jpg'
    phone.write_bytes(noise(3000, 4000, 'JPEG', quality=100, subsampling=0, exif=turned))
    assert phone.stat().st_size > 24e6
    with page.expect_file_chooser() as chosen: app.locator('.pixseg-upload').click()
    chosen.value.set_files(phone)
    wait(page, lambda: 'phone.jpg: 4000x3000 pixels, masked at 1280x960' in message.inner_text())
    (tmp_path/'deep.tif').write_bytes(noise(1800, 1600, 'TIFF'))
    with page.expect_file_chooser() as chosen: app.locator('.pixseg-upload').click()
    chosen.value.set_files(tmp_path/'deep.tif')
    wait(page, lambda: 'Not done: deep.tif has 8.6 MB, more than the 8.0 MB' in ' '.join(app.locator('[role=alert]').all_inner_texts()), 10)
    assert 'phone.jpg' in message.inner_text() and page.trouble == [] # nothing is lost
    app.locator('.widget-dropdown select').nth(1).select_option('a street')
    wait(page, lambda: 'a street: 96x128' in message.inner_text()) # and the kernel still answers
    shot(page, 'upload')


def test_camera_says_why_not(page):
    "Chromium without a camera: the button explains, and nothing breaks."
    app = page.locator('.jp-Cell', has=page.locator('.pixseg-upload')).first
    app.get_by_role('button', name='camera').click()
    wait(page, lambda: 'upload a file' in app.locator('[role=alert]').last.inner_text(), 10)
    assert page.trouble == []
