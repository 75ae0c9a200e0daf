"The mask viewer in a real browser: a JupyterLab of its own, a kernel that is busy, and a page opened from disk."
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get('PIXSEG_CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
playwright = pytest.importorskip('playwright.sync_api', reason='no playwright: `pip install playwright` to test the viewer in a browser')
pytestmark = pytest.mark.skipif(not CHROMIUM, reason='no chromium: `apt-get install chromium`, or name one in PIXSEG_CHROMIUM')

# Counts what goes to the kernel, and how long each drawing callback takes, before any page script runs.
SPY = """
window.toKernel = []; window.frames_ = []
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (data) {
  const text = typeof data === 'string' ? data : new TextDecoder('latin1').decode(data)
  const found = text.match(/"msg_type": ?"(comm_\\w+)"/)
  if (found) window.toKernel.push(text)
  return send.call(this, data)
}
const raf = window.requestAnimationFrame
window.requestAnimationFrame = f => raf.call(window, t => { const start = performance.now(); f(t); window.frames_.push(performance.now() - start) })
"""

MAKE = """
import numpy as np, time
from pixseg.labels import CAMVID
from pixseg.streets import draw_street
from pixseg.widgets import MaskBrowser
imgs,targs = map(list, zip(*[draw_street(s) for s in range(900, 906)]))
preds = [np.roll(t, 3*i, 1) for i,t in enumerate(targs)]
confs = [np.full(t.shape, (i+1)/10, np.float32) for i,t in enumerate(targs)]
b = MaskBrowser(imgs, preds, targs, names=['a.png', 'b.png', '<b>c</b>.png', 'd.png', 'e.png', 'f.png'], conf=confs)
"""


def notebook(*cells):
    code = [dict(cell_type='code', id=f'c{i}', metadata={}, source=c, outputs=[], execution_count=None) for i, c in enumerate(cells)]
    return json.dumps(dict(cells=code, metadata=dict(kernelspec=dict(name='python3', display_name='Python 3', language='python')),
                           nbformat=4, nbformat_minor=5))


@pytest.fixture(scope='module')
def lab(tmp_path_factory):
    "A JupyterLab on a free port, its kernel seeing this copy of the project."
    root = tmp_path_factory.mktemp('lab')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    env = dict(os.environ, PYTHONPATH=str(ROOT), JUPYTER_CONFIG_DIR=str(root/'.config'), JUPYTER_DATA_DIR=str(root/'.data'),
               JUPYTER_RUNTIME_DIR=str(root/'.run'), OMP_NUM_THREADS='1')
    work = root/'work'
    work.mkdir()
    argv = [sys.executable, '-m', 'jupyterlab', '--no-browser', f'--port={port}', '--ServerApp.port_retries=0', '--allow-root', '--ServerApp.token=',
            '--ServerApp.password=', '--LabApp.expose_app_in_browser=True', f'--ServerApp.root_dir={work}', '--LabApp.news_url=none']
    log = open(root/'log', 'w')
    p = subprocess.Popen(argv, cwd=work, env=env, stdout=log, stderr=subprocess.STDOUT)
    url = f'http://127.0.0.1:{port}'
    for _ in range(300):
        try: urllib.request.urlopen(url+'/api', timeout=1).read(); break
        except OSError: time.sleep(0.1)
    yield url, work
    p.terminate()
    p.wait()


@pytest.fixture(scope='module')
def browser():
    with playwright.sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--js-flags=--expose-gc'])
        yield b
        b.close()


def open_page(browser, **kwargs):
    page = browser.new_page(viewport=dict(width=1360, height=1300), **kwargs)
    page.trouble = []
    page.on('pageerror', lambda e: page.trouble.append(str(e)))
    page.add_init_script(SPY)
    return page


def run_in_lab(page, url, path):
    "Open a notebook and run all of it; returns when the viewer has drawn a frame."
    page.goto(f'{url}/lab/tree/{path}?reset')
    page.wait_for_function('window.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 0 && window.jupyterapp.shell.currentWidget.sessionContext.isReady', timeout=30000)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector('.pv-canvas', timeout=30000)
    drawn(page)


def drawn(page):
    page.wait_for_function("document.querySelector('.pv-canvas').getContext('2d').getImageData(200, 200, 1, 1).data[3] === 255")
