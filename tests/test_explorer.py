"The explorer's drawing in a browser: its numbers can be read, and none stands on another."
import json
import os

import pytest
from test_viewer import browser, open_page, pytestmark # noqa: F401  (skips with it where there is no chromium)

from pixseg.io.streets import draw_street
from pixseg.modelfile import load_model
from pixseg.web.explorer import FeatureExplorer
from pixseg.web.viewer import read_script

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><style>:root{color-scheme:light dark}body{margin:8px}</style><body><script type="module">
%s
const state = %s, heard = {}
const model = { get: k => state[k], set(k, v) { state[k] = v; heard['change:' + k]?.() }, save_changes() {}, on(e, f) { heard[e] = f }, off() {} }
explorer.render({ model, el: document.body })
</script></body></html>"""
# Every text that is seen, and its place on the screen; the pairs that share more than half a pixel both ways.
COLLISIONS = """() => { const all = [], walk = document.createTreeWalker(document.querySelector('.px-explorer'), NodeFilter.SHOW_TEXT)
    while (walk.nextNode()) {
        const node = walk.currentNode, up = node.parentElement
        if (!node.data.trim() || ['STYLE', 'title'].includes(up.tagName)) continue
        const range = document.createRange()
        range.selectNodeContents(node)
        all.push([node.data, up.tagName === 'text' ? up.getBoundingClientRect() : range.getBoundingClientRect()]) }
    const share = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > .5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > .5
    return [all.length, all.flatMap(([s, a], i) => all.slice(i + 1).filter(([_, b]) => share(a, b)).map(([t]) => [s, t]))] }"""


@pytest.fixture(scope='module', params=['camvid-encoder', 'camvid-unet'])
def page(request, browser, tmp_path_factory): # noqa: F811
    "An explorer of a shipped network in a page of its own, without a kernel."
    o = FeatureExplorer(load_model(request.param), *draw_street(903, size=(360, 480)))
    state = json.dumps({k:getattr(o.widget, k) for k in ('net', 'panels', 'photo', 'part')}).replace('<', '\\u003c')
    file = tmp_path_factory.mktemp('explorer')/'page.html'
    file.write_text(PAGE % (read_script('explorer.js').replace('export default', 'const explorer ='), state))
    page = open_page(browser)
    page.goto(file.as_uri())
    page.wait_for_selector('.px-explorer h4')
    if os.environ.get("PIXSEG_SHOTS"):
        page.set_viewport_size(dict(width=700, height=1000))
        page.locator(".px-explorer .box[data-part=head] rect").last.click()
        page.screenshot(path=f"{os.environ['PIXSEG_SHOTS']}/{request.param}-head.png", full_page=True)
    page.parts = list(o.widget.panels)
    yield page
    page.close()


@pytest.mark.parametrize('width', [1280, 700])
def test_no_number_stands_on_another(page, width):
    page.set_viewport_size(dict(width=width, height=1000))
    page.evaluate('() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))') # the numbers follow the width
    for part in page.parts: # the drawing, and the maps of every part
        page.locator(f'.px-explorer .box[data-part="{part}"] rect').last.click()
        assert page.locator('.px-explorer h4').inner_text().startswith(f'{part}: ')
        n,pairs = page.evaluate(COLLISIONS)
        assert n > 2*len(page.parts) and pairs == []
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    assert page.trouble == []


@pytest.mark.parametrize('width', [1280, 700])
def test_the_numbers_can_be_read(page, width):
    page.set_viewport_size(dict(width=width, height=1000))
    page.evaluate('() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))')
    sizes = page.evaluate("""() => { const svg = document.querySelector('.px-explorer svg'), k = svg.getScreenCTM().a
        return [...svg.querySelectorAll('text')].map(t => k * parseFloat(getComputedStyle(t).fontSize)) }""")
    assert min(sizes) > 10.9 # pixels of the screen
