"The pictures of the widgets that stand in notebooks: made only if asked for, by `PIXSEG_SHOTS=nbs/images pytest tests/test_shots.py`."
import os
from pathlib import Path

import pytest

from test_viewer import browser, lab, notebook, open_page, pytestmark # noqa: F401  (skips with it where there is no chromium)

SHOTS = os.environ.get('PIXSEG_SHOTS')
TRAIN = """
import os
import numpy as np
import torch
from functools import partial
from pixseg import CAMVID, FeatureExplorer, Labeller, MaskBrowser, PredictApp, TrainMonitor, UNet, confidence, draw_street, draw_streets, load_model, save_model, seg_dls, seg_learner
from pixseg.course import scene
torch.manual_seed(0)
dls = seg_dls(draw_streets('streets', train=160, val=20, test=4), crop=(64, 96), bs=8, device='cpu')
learn = seg_learner(dls, UNet(dls.labels.n))
monitor = TrainMonitor(n=4)
with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(6, 6e-3, cbs=monitor)
net = load_model(save_model('net.safetensors', learn.model, dls.labels, dls.size))
streets = [draw_street(s) for s in (458, 439, 485, 590)]
"""
CELLS = dict(
    viewer="MaskBrowser([o for o,_ in streets], partial(confidence, net), [o for _,o in streets], labels=net.labels, names=[f'street {i}' for i in range(4)])",
    monitor='monitor',
    explorer='FeatureExplorer(net, *streets[0])',
    labeller='''lab = Labeller([scene()[0], *[draw_street(s)[0] for s in range(2001, 2006)]], CAMVID, 'strokes')
for name,(top,left,height,width) in {'Sky':(12, 50, 2, 25), 'Building':(12, 108, 2, 16), 'Tree':(26, 28, 2, 20), 'Road':(80, 40, 2, 50), 'Sidewalk':(72, 108, 2, 8),
        'Car':(55, 66, 2, 10), 'Pole':(20, 92, 20, 2), 'Sign':(38, 12, 2, 8), 'Fence':(57, 108, 2, 10), 'Pedestrian':(49, 9, 2, 4), 'Cyclist':(50, 27, 2, 4)}.items():
    lab.paint(0, np.full((height, width), CAMVID[name], np.uint8), top, left)
lab.learn()
lab''',
    predict_app="app = PredictApp(net, {'a street':streets[0][0]})\napp.pick.value = 'a street'\napp")
SIGN = dict(viewer='.pv-canvas', monitor='svg[aria-label^="training loss"]', explorer='.px-explorer .sheet img', labeller='.pl-canvas', predict_app='.pv-canvas')


@pytest.mark.skipif(not SHOTS, reason='asked for by PIXSEG_SHOTS, the folder to write to')
def test_shots(browser, lab): # noqa: F811
    url, work = lab
    (work/'shots.ipynb').write_text(notebook(TRAIN, *CELLS.values(), "open('done', 'w').close()"))
    page = open_page(browser)
    page.set_viewport_size(dict(width=1160, height=4400)) # Lab draws only the cells that are in sight
    page.goto(f'{url}/lab/tree/shots.ipynb?reset')
    page.wait_for_function('window.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 0 '
                           '&& window.jupyterapp.shell.currentWidget.sessionContext.isReady', timeout=60000)
    page.evaluate("() => { window.jupyterapp.commands.execute('application:toggle-left-area') }")
    page.add_style_tag(content='.Toastify { display: none }') # Lab asks whether to tell news
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    for _ in range(12000):
        if (work/'done').exists(): break
        page.wait_for_timeout(100)
    for i,(name,sign) in enumerate(SIGN.items(), 1):
        out = page.locator('.jp-CodeCell').nth(i).locator('.jp-OutputArea-output').first
        out.locator(sign).first.wait_for(timeout=60000)
        if name == 'viewer': out.get_by_role('button', name='Errors', exact=True).click()
        page.wait_for_timeout(1500)
        file = Path(SHOTS)/f'{name}.jpg'
        for quality in (75, 60, 45, 30): # as good as 80 kB allow
            out.screenshot(path=str(file), type='jpeg', quality=quality)
            if file.stat().st_size < 80_000: break
        assert file.stat().st_size < 80_000, f'{name}: {file.stat().st_size} bytes'
    page.close()
