// The U of a network as a drawing to click on; beneath it, what the chosen part sees.
//
// Python sends everything once: `net` (boxes and arrows), `panels` (pictures for every part) and `photo`. From then on
// this file only shows and hides, so it works while the kernel trains and after it is gone. The one value that
// travels back is `part`, the name of the chosen box.

const CSS = `
.px-explorer { font: 13px/1.4 var(--jp-ui-font-family, system-ui, sans-serif); color: var(--jp-ui-font-color1, inherit) }
.px-explorer svg { width: 100%; max-width: 980px; display: block; overflow: visible }
.px-explorer svg text { fill: currentColor; text-anchor: middle; pointer-events: none; font-size: calc(1px * var(--size)) }
.px-explorer svg text.maps { font-size: calc(1.25px * var(--size)); font-weight: bold }
.px-explorer .box { cursor: pointer; outline: none }
.px-explorer .box rect { stroke: #777; stroke-width: .012 }
.px-explorer .box:hover rect, .px-explorer .box:focus-visible rect { stroke: #e8833a; stroke-width: .045 }
.px-explorer .box[aria-checked=true] rect { stroke: #d6336c; stroke-width: .06 }
.px-explorer .box .hit { fill: transparent; stroke: none !important }
.px-explorer h4 { font-size: 1.05em; margin: .5em 0 .1em }
.px-explorer p { margin: 0 0 .5em; opacity: .85 }
.px-explorer .row { display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: flex-start; max-width: 980px }
.px-explorer figure { margin: 0 0 8px }
.px-explorer figcaption { margin-bottom: 3px }
.px-explorer .sheets figure { flex: 1 1 260px }
.px-explorer .sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(66px, 1fr)); gap: 3px }
.px-explorer .sheet button { padding: 0; border: 2px solid transparent; background: none; cursor: zoom-in; color: inherit; font: inherit; font-size: 11px; line-height: 1.4; overflow-wrap: anywhere }
.px-explorer .sheet button:hover, .px-explorer .sheet button:focus-visible { border-color: #e8833a; outline: none }
.px-explorer .sheet button[aria-pressed=true] { border-color: #d6336c }
.px-explorer img { display: block; image-rendering: pixelated }
.px-explorer .sheet img { width: 100% }
.px-explorer .picture { width: 230px; max-width: 100% }
.px-explorer .stack { position: relative; width: 230px; max-width: 100% }
.px-explorer .stack img { width: 100% }
.px-explorer .stack img + img { position: absolute; inset: 0; height: 100% }
.px-explorer input[type=range] { width: 90px; vertical-align: middle }
`

// Every text reaches the page as text, never as HTML: names of classes and files are somebody else's words.
function make(tag, attrs = {}, ...children) {
  const drawing = ['svg', 'g', 'rect', 'path', 'text', 'title'].includes(tag)
  const e = drawing ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v)
  e.append(...children)
  return e
}

// ---- the U ----

export const describe = b => `${b.name}: ${b.c} ${b.c == 1 ? 'map' : 'maps'} of ${b.h}x${b.w}`

function drawBox(b) {
  const say = describe(b)
  return make('g', { class: 'box', role: 'radio', tabindex: -1, 'data-part': b.name, 'aria-label': say },
    make('title', {}, say),
    // the deep boxes are thin; an unseen rectangle around each makes it easy to hit
    make('rect', { class: 'hit', x: b.x - .16, y: b.y - .3, width: b.bw + .32, height: b.bh + .75 }),
    make('rect', { x: b.x, y: b.y, width: b.bw, height: b.bh, fill: b.color }),
    make('text', { class: 'maps', x: b.x + b.bw / 2, y: b.y - .06 }, String(b.c)),
    // on two lines: neighbours of one level stand closer than a size is wide
    ...[`${b.h}x`, String(b.w)].map((line, k) => make('text', { x: b.x + b.bw / 2, y: b.y + b.bh + .05, dy: `${1 + 1.2 * k}em` }, line)))
}

// The size of the numbers in units of the drawing: 11 pixels of the screen at least, as long as the longest size fits
// between two neighbours, whose middles are half a unit apart or more.
export function fontSize(net, width) {
  const longest = Math.max(...net.boxes.flatMap(b => [String(b.h).length + 1, String(b.w).length]))
  return Math.min(.5 / (.64 * longest), Math.max(.14, 11 * net.view[2] / width))
}

// The line and the two strokes of the head, as the `d` of a path.
export function arrowPath({ x1, y1, x2, y2 }) {
  const a = Math.atan2(y2 - y1, x2 - x1), tip = d => `${x2 - .1 * Math.cos(a + d)} ${y2 - .1 * Math.sin(a + d)}`
  return `M${x1} ${y1} L${x2} ${y2} M${tip(.5)} L${x2} ${y2} L${tip(-.5)}`
}

function drawArrow(arrow) {
  return make('path', { d: arrowPath(arrow), stroke: arrow.color, 'stroke-width': arrow.wide ? .035 : .02, fill: 'none', 'aria-hidden': true })
}

function drawNet(net) {
  const svg = make('svg', { viewBox: net.view.join(' '), role: 'radiogroup', 'aria-label': `parts of ${net.title}` })
  svg.append(...net.arrows.map(drawArrow), ...net.boxes.map(drawBox))
  return svg
}

// ---- what a part sees ----

function drawSheet(sheet, enlarge) {
  const grid = make('div', { class: 'sheet' })
  for (const map of sheet.maps) {
    const button = make('button', { type: 'button', 'aria-label': `enlarge ${map.name} of ${sheet.title}` },
      make('img', { src: map.src, alt: '' }), map.name)
    button.addEventListener('click', () => enlarge(map, sheet, button)) // gone with its button
    grid.append(button)
  }
  return make('figure', {}, make('figcaption', {}, sheet.title), grid)
}

function drawPicture(p) {
  return make('figure', {}, make('figcaption', {}, p.title), make('img', { class: 'picture', src: p.src, alt: p.title }))
}

// A map over the photograph: what in the picture makes it bright?
function drawLarge(map, sheet, photo) {
  const top = make('img', { src: map.src, alt: `${map.name} of ${sheet.title}` })
  const slider = make('input', { type: 'range', min: 0, max: 1, step: .05, value: .7, 'aria-label': 'map over photograph' })
  const blend = () => { top.style.opacity = slider.value }
  slider.addEventListener('input', blend)
  blend()
  return make('figure', { class: 'large' }, make('figcaption', {}, `${map.name}: ${sheet.title}`),
    make('div', { class: 'stack' }, make('img', { src: photo, alt: 'photograph' }), top),
    make('label', {}, 'photograph ', slider, ' map'))
}

// The item that an arrow key goes to from item `at` of `n`, around in a ring; none for another key.
export function neighbour(key, at, n) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key]
  return step ? (at + step + n) % n : null
}

function render({ model, el }) {
  const root = make('div', { class: 'px-explorer', 'data-lm-suppress-shortcuts': 'true' }) // keep Lab's keys off the arrows
  const panel = make('div', { 'aria-live': 'polite' })
  let svg
  const fit = new ResizeObserver(() => { if (svg?.clientWidth) svg.style.setProperty('--size', fontSize(model.get('net'), svg.clientWidth)) })

  function enlarge(map, sheet, button) {
    const same = button.getAttribute('aria-pressed') == 'true'
    panel.querySelector('.large')?.remove()
    for (const b of panel.querySelectorAll('button')) b.setAttribute('aria-pressed', b == button && !same)
    if (!same) panel.querySelector('.pictures').prepend(drawLarge(map, sheet, model.get('photo')))
  }

  function showPart() {
    const part = model.get('part'), p = model.get('panels')[part]
    for (const box of svg.querySelectorAll('.box')) {
      const chosen = box.dataset.part == part
      box.setAttribute('aria-checked', chosen)
      box.setAttribute('tabindex', chosen ? 0 : -1)
    }
    if (!p) return
    panel.replaceChildren(make('h4', {}, p.title), make('p', {}, p.text),
      make('div', { class: 'row sheets' }, ...p.sheets.map(s => drawSheet(s, enlarge))),
      make('div', { class: 'row pictures' }, ...p.pictures.map(drawPicture)))
  }

  function showNet() {
    svg = drawNet(model.get('net'))
    svg.style.setProperty('--size', .14)
    fit.disconnect()
    fit.observe(svg)
    root.replaceChildren(make('style', {}, CSS), svg, panel)
    showPart()
  }

  function choose(part) { model.set('part', part); model.save_changes() }

  const onClick = e => { const box = e.target.closest('.box'); if (box) { choose(box.dataset.part); box.focus() } }
  const onKey = e => {
    const box = e.target.closest?.('.box'), all = [...svg.querySelectorAll('.box')], to = neighbour(e.key, all.indexOf(box), all.length)
    if (!box || to == null) return
    e.preventDefault(); e.stopPropagation()
    choose(all[to].dataset.part); all[to].focus()
  }
  root.addEventListener('click', onClick)
  root.addEventListener('keydown', onKey)
  model.on('change:net', showNet)
  model.on('change:panels', showPart)
  model.on('change:part', showPart)
  showNet()
  el.append(root)
  return () => { // the view goes: nothing of it stays behind on the model
    fit.disconnect()
    model.off('change:net', showNet)
    model.off('change:panels', showPart)
    model.off('change:part', showPart)
    root.remove()
  }
}

export default { render }
