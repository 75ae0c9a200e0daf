"The labeller in a JupyterLab of its own: a stroke comes to the kernel, a kernel that dies loses none."
import os
import signal
import time

import numpy as np

from pixseg.io.images import read_mask
from test_viewer import browser, lab, notebook, open_page, pytestmark, run_cell # noqa: F401  (skips with it where there is no chromium)

MAKE = """
import os; open('pid', 'w').write(str(os.getpid()))
from pixseg import CAMVID, Labeller, draw_street
imgs = [draw_street(s)[0] for s in range(3)]
"""
SHOW = "l = Labeller(imgs, CAMVID, 'streets')\nl"
LEARN = "[l.paint(i, (draw_street(i)[1] if i < 2 else 0*draw_street(i)[1])[:40], 0, 0) for i in (0, 1)]; open('learnt', 'w').write(str(l.learn()))"


def opened(page):
    page.wait_for_function("(() => { const c = document.querySelector('.pl-canvas'); return c?.clientWidth && document.querySelector('.pv-name').textContent })()")
    page.wait_for_timeout(300)


def stroke(page, share):
    r = page.locator('.pl-canvas').bounding_box()
    page.mouse.move(r['x']+.4*r['width'], r['y']+share*r['height'])
    page.mouse.down()
    page.mouse.move(r['x']+.6*r['width'], r['y']+share*r['height'], steps=3)
    page.mouse.up()


def told(page, text):
    page.wait_for_function("text => document.querySelector('.pl [role=status]').textContent.includes(text)", arg=text, timeout=20000)


def painted(file, more_than):
    "Painted pixels on disk, once there are more than so many."
    for _ in range(100):
        if file.exists() and (n := int((read_mask(file) != 255).sum())) > more_than: return n
        time.sleep(.1)
    raise AssertionError(f'not more than {more_than} pixels in {file.name}')


def test_strokes_reach_the_kernel_and_outlive_it(browser, lab): # noqa: F811
    url,work = lab
    (work/'label.ipynb').write_text(notebook(MAKE, SHOW, LEARN, "import os; os.kill(os.getpid(), 9)"))
    page = open_page(browser)
    page.goto(f'{url}/lab/tree/label.ipynb?reset')
    page.wait_for_function("""() => { const w = window.jupyterapp?.shell.currentWidget
        return w?.content?.widgets?.length && w.sessionContext?.session?.kernel?.status === 'idle' }""", timeout=30000)
    for i in (0, 1): run_cell(page, i)
    opened(page)
    stroke(page, .3)
    file = work/'streets'/'.strokes'/'image_0000.png'
    first = painted(file, 0)
    page.wait_for_function("Object.keys(localStorage).filter(k => k.startsWith('pixseg-label')).length === 0") # acknowledged
    kernel = int((work/'pid').read_text())
    os.kill(kernel, signal.SIGSTOP) # a kernel that is busy
    stroke(page, .5)
    told(page, 'not reached the kernel')
    os.kill(kernel, signal.SIGCONT)
    told(page, 'the kernel has all strokes')
    first = painted(file, first)
    run_cell(page, 3, wait=False) # the kernel is killed
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status !== 'busy'")
    page.wait_for_timeout(2500)
    for name in ('Dismiss', 'Ok', 'OK'): # that it died is told in a dialogue
        if page.get_by_role('button', name=name, exact=True).count(): page.get_by_role('button', name=name, exact=True).first.click()
    stroke(page, .6) # nobody hears it
    page.wait_for_function("Object.keys(localStorage).filter(k => k.startsWith('pixseg-label')).length === 1")
    assert int((read_mask(file) != 255).sum()) == first
    told(page, 'run the cell again') # at once, or as it is overdue
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'", timeout=30000)
    for i in (0, 1): run_cell(page, i)
    opened(page)
    assert painted(file, first) > 1.3*first # the browser has sent it again
    page.wait_for_function("Object.keys(localStorage).filter(k => k.startsWith('pixseg-label')).length === 0")
    run_cell(page, 2)
    assert float((work/'learnt').read_text()) > 0
    assert page.trouble == [] and np.isin(read_mask(file), [*range(12), 255]).all()
