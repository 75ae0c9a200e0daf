"The picture that stays where a widget has no kernel: a notebook that is opened again, GitHub, VS Code."
import json
import os
from pathlib import Path

import pytest
from test_viewer import browser, lab, notebook, open_page, pytestmark, run_cell # noqa: F401  (skips with it where there is no chromium)

START = """
import torch
from pixseg import FeatureExplorer, MaskBrowser, PredictApp, TrainMonitor, UNet, draw_street, draw_streets, seg_dls, seg_learner
from pixseg.labels import CAMVID
torch.manual_seed(0)
net = UNet(CAMVID.n, width=8, depth=3)
net.labels,net.size = CAMVID,(96,128)
"""
APP = "app = PredictApp(net, {'a street':draw_street(904)[0]})\napp"
PICK = "app.pick.value = 'a street'" # in another cell, after the app was shown
EXPLORER = 'FeatureExplorer(net, *draw_street(903))'
TRAIN = """
monitor = TrainMonitor(n=2)
learn = seg_learner(seg_dls(draw_streets('streets', train=8, val=2, test=1), bs=4, device='cpu'), UNet(CAMVID.n, width=8, depth=2), lr=1e-2)
with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(2, cbs=monitor)
"""
BROWSER = "imgs,targs = zip(*[draw_street(s) for s in (905, 906)])\nb = MaskBrowser(list(imgs), list(targs), list(targs), labels=CAMVID)\nb"
EMPTY = 'PredictApp(net)'
FIGURE = 'figure[class^=pv-still]'


def cells(page, *numbers):
    for i in numbers: run_cell(page, i)


def opened(browser, url, file): # noqa: F811
    page = open_page(browser)
    page.set_viewport_size(dict(width=1280, height=3000)) # Lab draws only the cells that are in sight
    page.goto(f'{url}/lab/tree/{file}?reset')
    page.wait_for_function("""() => { const w = window.jupyterapp?.shell.currentWidget
        return w?.content?.widgets?.length && w.sessionContext?.session?.kernel?.status === 'idle' }""", timeout=60000)
    return page


def close(page, path, has):
    "Save the notebook, once it has this many pictures, and end its kernel."
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    for _ in range(100):
        if path.read_text().count('<figure class=') == has: break
        page.wait_for_timeout(50)
    page.evaluate('window.jupyterapp.serviceManager.sessions.shutdownAll()')
    page.close()


@pytest.fixture(scope='module')
def again(browser, lab): # noqa: F811
    "A notebook with the widgets, run, closed and opened again: its page, and its outputs by cell."
    url,work = lab
    path = work/'again.ipynb'
    path.write_text(notebook(START, APP, PICK, EXPLORER, TRAIN, BROWSER, EMPTY))
    page = opened(browser, url, 'again.ipynb')
    cells(page, *range(7))
    page.wait_for_selector('.px-explorer h4', timeout=30000)
    page.wait_for_function("document.querySelectorAll('.pv-canvas').length === 3", timeout=30000)
    page.wait_for_function("document.querySelector('.jp-Notebook').innerText.includes('done: 2 epochs')", timeout=30000)
    page.locator('.pixseg-upload').nth(1).wait_for(timeout=30000)
    assert page.locator(FIGURE).count() == 5
    for i in range(5): assert not page.locator(FIGURE).nth(i).is_visible() # while the widgets live
    if os.environ.get('PIXSEG_SHOTS'): page.screenshot(path=str(Path(os.environ['PIXSEG_SHOTS'])/'alive.png'))
    close(page, path, 5)
    page = opened(browser, url, 'again.ipynb')
    page.wait_for_selector(FIGURE, timeout=30000)
    page.wait_for_timeout(3000) # for the views that will not come
    if os.environ.get('PIXSEG_SHOTS'): page.screenshot(path=str(Path(os.environ['PIXSEG_SHOTS'])/'again.png'))
    yield page, [o['outputs'] for o in json.loads(path.read_text())['cells']]
    page.close()


CELLS = dict(PredictApp=1, FeatureExplorer=3, TrainMonitor=4, MaskBrowser=5)


@pytest.mark.parametrize('name', CELLS)
def test_a_notebook_opened_again_shows_a_picture(again, name):
    page,_ = again
    figure = page.locator('.jp-Cell').nth(CELLS[name]).locator(FIGURE)
    image = figure.locator('img')
    assert figure.count() == 1 and image.is_visible() and image.evaluate('e => e.naturalWidth') > 100
    assert name in figure.inner_text() and figure.inner_text().endswith('A picture; run the cell for the live view.')
    assert not page.locator('text=model not found').first.is_visible()


@pytest.mark.parametrize('name', CELLS)
def test_what_is_saved_needs_no_widget(again, name):
    "GitHub and VS Code show one of these."
    outputs = again[1][CELLS[name]]
    assert set(outputs[0]['data']) == {'image/jpeg', 'text/html', 'text/plain'}
    assert set(outputs[1]['data']) == {'application/vnd.jupyter.widget-view+json'} and len(outputs) == 2


def test_the_picture_is_of_the_newest_state(again):
    app,train = (again[1][CELLS[o]][0]['data']['text/plain'] for o in ('PredictApp', 'TrainMonitor'))
    assert ''.join(app) == 'PredictApp(1 networks, a street)' # picked after the app was shown
    assert ''.join(train) == 'TrainMonitor(3 looks, 4 steps, done)'


def test_an_app_without_a_photograph_says_what_it_is(again):
    figure = again[0].locator('.jp-Cell').nth(6).locator(FIGURE)
    assert figure.is_visible() and figure.inner_text().strip() == 'PredictApp(1 networks, no photograph yet). Run the cell for the live view.'
