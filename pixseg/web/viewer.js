// The mask viewer, wholly in the browser.
//
// A widget is state plus a thin view. Python sends three things once: the frames (photographs as JPEG, masks as
// deflated class numbers), a table of scores, and what the classes are called and coloured. All that a reader then
// does - opacity, classes, curtain, zoom, hover, next - happens in this file, so it goes on while a cell is running
// and in a page saved to disk, where `model` is a plain object with the same five methods.
//
//   1  small helpers         3  layers: masks as pixels     5  the picture: pan, zoom, hover, curtain
//   2  the store of bytes    4  the controls                6  state: what changes what, and the model

// ---------------------------------------------------------------------------------------------- 1 small helpers

const clamp = (x, low, high) => Math.min(Math.max(x, low), high)
const percent = (x, digits = 0) => isFinite(x) ? (100 * x).toFixed(digits) + '%' : '–'
const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`

// An element with attributes, listeners (onclick: f) and children. Names of files and classes come from anywhere,
// so strings become text nodes, never HTML.
function make(tag, attributes = {}, ...children) {
  const e = document.createElement(tag)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value)
    else if (value === true) e.setAttribute(key, '')
    else if (value !== false && value != null) e.setAttribute(key, value)
  }
  e.append(...children.filter(c => c != null))
  return e
}

// Write only what changed: screen readers repeat, and browsers lay out again, whatever is touched.
const setText = (e, text) => { if (e.textContent !== text) e.textContent = text }
const setAttr = (e, key, value) => { if (e.getAttribute(key) !== String(value)) e.setAttribute(key, value) }

const button = (label, title, onclick, attributes = {}) =>
  make('button', { type: 'button', class: 'pv-button', title, 'aria-label': title, onclick, ...attributes }, label)

const asBytes = v => v instanceof Uint8Array ? v : new Uint8Array(v.buffer, v.byteOffset, v.byteLength)

// Class numbers must arrive exactly. A PNG drawn on a canvas may be colour-managed on the way; inflating cannot be.
const inflate = async bytes => new Uint8Array(await new Response(
  new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer())

const decodePhoto = (bytes, options) => createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }), options)

function canvas(width, height) {
  const c = document.createElement('canvas')
  c.width = width
  c.height = height
  return c
}

// ------------------------------------------------------------------------------------------ 2 the store of bytes

// Bytes by key: 'photo/3', 'truth/3', 'pred/0/3' and 'conf/0/3' (step, frame), 'thumb/3'. What the model brought along
// is simply there. The rest is asked for, one question at a time, so that somebody who runs through a thousand frames
// does not leave a thousand questions behind: only the latest wish counts.
class Store {
  constructor(model, onarrive, room = 64e6) {
    Object.assign(this, { model, onarrive, room, size: 0, asked: 0, wishes: {} })
    this.given = new Map()   // came with the model, never dropped
    this.lent = new Map()    // asked for; the longest unused go when `room` bytes are full
    this.failed = new Map()  // key -> what went wrong, in Python's words
    this.hear = this.hear.bind(this)
    model.on('msg:custom', this.hear)
  }
  close() {
    this.model.off('msg:custom', this.hear)
    for (const part of [this.given, this.lent, this.failed]) part.clear()
  }

  take(pack) { for (const [key, v] of Object.entries(pack ?? {})) this.given.set(key, asBytes(v)) }
  has(key) { return this.given.has(key) || this.lent.has(key) || this.failed.has(key) }
  get(key) {
    const bytes = this.given.get(key) ?? this.lent.get(key)
    if (this.lent.delete(key)) this.lent.set(key, bytes) // a Map keeps insertion order: used again means newest
    return bytes?.length ? bytes : null // no bytes: nothing exists for this frame
  }

  want(who, keys) { // replaces what `who` wanted before
    this.wishes[who] = keys
    this.ask()
  }
  ask() {
    const waiting = this.asked && performance.now() - this.asked < 10000 // later, the question counts as lost
    const keys = [...(this.wishes.frames ?? []), ...(this.wishes.thumbs ?? [])].filter(k => !this.has(k)).slice(0, 8)
    if (waiting || !keys.length) return
    this.asked = performance.now()
    this.model.send({ type: 'ask', keys })
  }
  hear(message, buffers) {
    if (message.type !== 'frames') return
    message.keys.forEach((key, i) => this.lend(key, asBytes(buffers[i])))
    for (const [key, why] of Object.entries(message.errors)) this.failed.set(key, why)
    this.asked = 0
    this.onarrive()
    this.ask()
  }
  lend(key, bytes) {
    if (this.has(key)) return
    this.lent.set(key, bytes)
    this.size += bytes.length
    for (const [old, b] of this.lent) {
      if (this.size <= this.room || old === key) break
      this.lent.delete(old)
      this.size -= b.length
    }
  }
}

// Decoded pictures and masks, the few that were looked at last. A decoded frame is thirty times its bytes.
class Decoded {
  constructor(store, room = 96e6) { Object.assign(this, { store, room, size: 0, kept: new Map() }) }
  async get(key) {
    let item = this.kept.get(key)
    if (!item) {
      const bytes = this.store.get(key)
      item = { value: bytes && (key.startsWith('photo') ? decodePhoto(bytes) : inflate(bytes)), size: 0 }
      this.kept.set(key, item)
      const v = item.value = await item.value
      if (this.kept.get(key) === item) this.size += item.size = v ? v.length ?? 4 * v.width * v.height : 0
    }
    if (this.kept.delete(key)) this.kept.set(key, item)
    for (const old of this.kept.keys()) {
      if (this.size <= this.room || old === key) break
      this.size -= this.kept.get(old).size
      this.kept.delete(old)
    }
    return item.value
  }
}

// ------------------------------------------------------------------------------------- 3 layers: masks as pixels

// A palette as 256 numbers of 4 bytes, red first in memory; a class that is off is transparent.
function lookup(colors, on = () => true) {
  const table = new Uint8ClampedArray(1024)
  colors.forEach((c, id) => table.set([...c, on(id) ? 255 : 0], 4 * id))
  return new Uint32Array(table.buffer)
}

// Fill a canvas by asking `color(pixel number)` for every pixel.
function paint(layer, width, height, color) {
  layer ??= canvas(width, height)
  if (layer.width !== width || layer.height !== height) Object.assign(layer, { width, height })
  const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer)
  for (let p = 0; p < pixels.length; p++) pixels[p] = color(p)
  layer.getContext('2d').putImageData(image, 0, 0)
  return layer
}

// The weights of red, green and blue are equal, as in `MaskBrowser.picture`.
function grey(photo, width, height) {
  const c = canvas(width, height), g = c.getContext('2d', { willReadFrequently: true })
  g.drawImage(photo, 0, 0, width, height)
  const image = g.getImageData(0, 0, width, height), d = image.data
  for (let k = 0; k < d.length; k += 4) d[k] = d[k + 1] = d[k + 2] = (d[k] + d[k + 1] + d[k + 2]) / 3
  g.putImageData(image, 0, 0)
  return c
}

// ------------------------------------------------------------------------------------------------ 4 the controls

const HELP = [['← →', 'previous, next frame'], ['Home End', 'first, last'], ['Space', 'mask on or off'],
  ['[ ]', 'less, more opacity'], ['1 … 5', 'view'], ['S', 'only the class under the pointer, or all again'],
  ['+ − 0', 'zoom in, out, fit'], ['drag', 'pan, or move the curtain'], ['Ctrl wheel', 'zoom'],
  ['Shift ← ↑ → ↓', 'read out pixel by pixel'], ['?', 'this list']]

const TITLES = { prediction: 'What the network says', truth: 'What it should say',
  curtain: 'Prediction left of the line, truth right of it', errors: 'Where it is wrong',
  confidence: 'Where it was unsure: bright is unsure' }

// All elements of the viewer, made once. `act` holds what to do when they are used.
function build(meta, act) {
  const e = {}, icon = (text, title, f, more) => button(text, title, f, { class: 'pv-button pv-icon', ...more })
  e.name = make('span', { class: 'pv-name' })
  e.place = make('span', { class: 'pv-place' })
  e.score = make('span', { class: 'pv-score' })
  e.prev = icon('‹', 'Previous frame (left arrow)', () => act.go(-1))
  e.next = icon('›', 'Next frame (right arrow)', () => act.go(1))
  e.order = make('select', { 'aria-label': 'Order of the frames', onchange: () => act.arrange(e.order.value) })
  const groups = { given: 'as given', name: 'by name' }
  for (const [value, text] of Object.entries(groups)) e.order.append(make('option', { value }, text))
  if (meta.columns.length) {
    const worst = make('optgroup', { label: 'lowest first' })
    for (const c of meta.columns) worst.append(make('option', { value: 'worst ' + c }, c))
    e.order.append(worst)
  }
  const alone = meta.names.length < 2 // nowhere to go, nothing to order
  const top = make('div', { class: 'pv-row' }, make('div', { class: 'pv-group', hidden: alone }, e.prev, e.next), e.name, e.place,
    e.score, make('label', { class: 'pv-field pv-end', hidden: alone }, 'Order', e.order))

  e.views = Object.fromEntries(meta.views.map((v, k) => [v, button(v[0].toUpperCase() + v.slice(1),
    `${TITLES[v]} (${k + 1})`, () => act.set({ view: v }), { 'aria-label': null })]))
  e.mask = icon('◐', 'Mask on or off (space)', () => act.set({ shown: !act.state.shown }))
  e.opacity = make('input', { type: 'range', min: 0, max: 1, step: 0.01, 'aria-label': 'Opacity of the mask',
    oninput: () => act.set({ opacity: +e.opacity.value, shown: true }) })
  e.percent = make('span', { class: 'pv-number' })
  e.palette = button('safe colours', 'Colours that colour-blind readers tell apart', () =>
    act.set({ palette: act.state.palette === 'safe' ? 'labels' : 'safe' }), { class: 'pv-button pv-text' })
  e.help = icon('?', 'Keys (?)', () => act.help())
  e.zoom = make('span', { class: 'pv-number', title: 'Screen pixels for a pixel of the mask' })
  const zoom = make('div', { class: 'pv-group', role: 'group', 'aria-label': 'Zoom' },
    icon('−', 'Zoom out (-)', () => act.zoom(1 / 1.5)), icon('+', 'Zoom in (+)', () => act.zoom(1.5)),
    icon('⤢', 'Fit (0)', () => act.zoom(0)))
  const bar = make('div', { class: 'pv-row pv-bar' },
    make('div', { class: 'pv-group', role: 'group', 'aria-label': 'View' }, ...Object.values(e.views)),
    make('label', { class: 'pv-field' }, e.mask, make('span', { class: 'pv-word' }, 'Opacity'), e.opacity, e.percent),
    make('div', { class: 'pv-field pv-end' }, e.zoom, zoom, e.palette, e.help))

  e.canvas = make('canvas', { class: 'pv-canvas', tabindex: 0, role: 'img' })
  e.left = make('span', { class: 'pv-tag pv-left' }, 'prediction')
  e.right = make('span', { class: 'pv-tag pv-right' }, 'truth')
  e.curtain = make('div', { class: 'pv-curtain', role: 'slider', tabindex: 0, 'aria-label': 'Curtain: prediction left, truth right',
    'aria-valuemin': 0, 'aria-valuemax': 100 })
  e.legend = make('div', { class: 'pv-legend' })
  e.note = make('div', { class: 'pv-note', role: 'status' })
  e.keys = make('div', { class: 'pv-keys', hidden: true }, // not a <dl>: notebooks style those
    ...HELP.flatMap(([key, what]) => [make('span', { class: 'pv-key' }, key), make('span', { class: 'pv-dim' }, what)]))
  e.stage = make('div', { class: 'pv-stage' }, e.canvas, e.curtain, e.left, e.right, e.legend, e.note, e.keys)
  e.read = make('div', { class: 'pv-read' })

  e.all = button('all', 'Every class on', () => act.set({ off: new Set() }), { class: 'pv-button pv-small' })
  e.none = button('none', 'Every class off', () => act.set({ off: new Set(meta.labels.keys()) }), { class: 'pv-button pv-small' })
  e.rows = meta.labels.map((label, id) => {
    const swatch = make('span', { class: 'pv-swatch' }), share = make('span', { class: 'pv-number' })
    const iou = make('span', { class: 'pv-number pv-iou' }), bar = make('span', { class: 'pv-share' })
    const toggle = make('button', { type: 'button', class: 'pv-class', title: 'On or off', onclick: () => act.toggle(id) },
      bar, swatch, make('span', { class: 'pv-label' }, label), share, iou)
    const solo = button('only', `Only ${label}, or all again`, () => act.solo(id), { class: 'pv-button pv-small pv-solo' })
    return { row: make('li', {}, toggle, solo), toggle, solo, swatch, share, bar, iou }
  })
  e.head = make('span', { class: 'pv-iou pv-number' }, 'IoU')
  const classes = make('div', { class: 'pv-classes', role: 'group', 'aria-label': 'Classes' },
    make('div', { class: 'pv-head' }, make('span', { class: 'pv-label' }, 'Classes'), e.all, e.none,
      make('span', { class: 'pv-number' }, 'share'), e.head), make('ul', {}, ...e.rows.map(r => r.row)))

  e.step = make('input', { type: 'range', min: 0, step: 1, 'aria-label': 'Step',
    oninput: () => act.set({ step: +e.step.value }) })
  e.play = icon('▸', 'Play the steps', () => act.play())
  e.stepName = make('span', { class: 'pv-number pv-stepname' })
  e.steps = make('div', { class: 'pv-row pv-steps' }, e.play, e.step, e.stepName)
  e.film = make('div', { class: 'pv-film' })
  e.strip = make('div', { class: 'pv-strip', role: 'group', 'aria-label': 'Frames', onscroll: () => act.film() }, e.film)
  e.root = make('div', { class: 'pv', role: 'group', 'aria-label': 'Mask viewer', tabindex: -1,
    'data-lm-suppress-shortcuts': 'true' }, // JupyterLab: these keys are ours, "m" must not turn the cell into text
    top, bar, make('div', { class: 'pv-main' }, make('div', { class: 'pv-left-side' }, e.stage, e.read, e.steps), classes), e.strip)
  return e
}

// ------------------------------------------------------------------------------------------------------ the viewer

const THUMB = 92, VISITORS = new WeakMap() // how many views look at a model's frames

function render({ model, el }) {
  const meta = model.get('_meta'), n = meta.names.length, columns = meta.columns
  const state = { shown: true, off: new Set(), step: 0 }
  const store = new Store(model, () => { show(); film() }), decoded = new Decoded(store)
  const act = { state, set, arrange, go, zoom, toggle, solo, play, help, film }
  const e = build(meta, act)
  let frame = null          // what is on the stage: {index, step, width, height, photo, pred, truth, conf}
  let layers = {}           // canvases made from it
  let order = [], table = null, place = null, ticket = 0, request = 0, timer = 0, probe = null
  const box = { scale: 1, x: 0, y: 0, fit: 1, held: false, // CSS pixels a mask pixel, and where its corner is
    wide: 0, high: 0, dpr: 1 } // the stage; kept, since a notebook hides everything for a moment when its theme changes

  // --------------------------------------------------------------- 5 the picture: pan, zoom, hover, curtain

  const keysOf = i => [`photo/${i}`, `pred/${state.step}/${i}`,
    ...(meta.truth ? [`truth/${i}`] : []), ...(meta.conf ? [`conf/${state.step}/${i}`] : [])]

  // Bring the wished frame on the stage. Between asking and having, the reader may have wished something else: the ticket tells.
  async function show() {
    const i = state.index, step = state.step, mine = ++ticket, keys = keysOf(i)
    const around = [1, 2, -1].map(d => order[order.indexOf(i) + d]).filter(k => k != null)
    store.want('frames', [...keys, ...around.flatMap(keysOf)])
    caption()
    const failed = keys.map(k => store.failed.get(k)).find(Boolean)
    if (failed) return note(failed, true)
    if (!keys.every(k => store.has(k))) return note('waiting for the kernel to send this frame …')
    let got
    try { got = await Promise.all(keys.map(k => decoded.get(k))) } catch (error) { return note(String(error), true) }
    if (mine !== ticket) return
    const at = name => got[keys.findIndex(k => k.startsWith(name))] ?? null
    const [height, width] = meta.sizes[i]
    const resized = !frame || frame.width !== width || frame.height !== height
    frame = { index: i, step, width, height, photo: at('photo'), pred: at('pred'), truth: at('truth'), conf: at('conf') }
    frame.shares = Object.fromEntries(['pred', 'truth'].map(k => [k, frame[k] && count(frame[k])]))
    layers = {}
    note('')
    if (resized) { box.held = false; e.canvas.classList.remove('pv-grab'); resize() }
    repaint()
  }
  function count(mask) {
    const counts = new Float64Array(256)
    for (let p = 0; p < mask.length; p++) counts[mask[p]]++
    return counts.map(c => c / mask.length)
  }
  function note(text, wrong = false) {
    setText(e.note, text)
    e.note.classList.toggle('pv-wrong', wrong)
    if (wrong) { frame = null; draw() }
  }

  // Masks change with the classes and the palette; opacity, curtain and zoom only place them anew, which is `draw`.
  function repaint() {
    if (!frame) return
    const { width: w, height: h, pred, truth, conf } = frame, on = id => !state.off.has(id)
    const colors = lookup(meta.palettes[state.palette], on), void_ = meta.void ?? -1
    const by = (name, f) => { layers[name] = paint(layers[name], w, h, f) }
    if (state.view === 'prediction' || state.view === 'curtain') by('pred', p => colors[pred[p]])
    if (state.view === 'truth' || state.view === 'curtain') by('truth', p => colors[truth[p]])
    if (state.view === 'errors') {
      const [right, wrong, unjudged] = lookup(meta.errors.colors), shown = Array.from({ length: 256 }, (_, id) => on(id))
      by('errors', p => truth[p] === void_ ? (shown[truth[p]] ? unjudged : 0)
        : pred[p] === truth[p] ? (shown[pred[p]] ? right : 0) : shown[pred[p]] || shown[truth[p]] ? wrong : 0)
    }
    if (state.view === 'confidence' && conf) {
      const heat = lookup(meta.heat)
      by('confidence', p => on(pred[p]) ? heat[255 - conf[p]] : 0)
    }
    if (state.view === 'errors' || state.view === 'confidence') layers.grey ??= grey(frame.photo, w, h)
    legend()
    caption()
    draw()
  }

  function draw() { request ||= requestAnimationFrame(drawNow) }
  function drawNow() {
    request = 0
    const g = e.canvas.getContext('2d'), { dpr } = box
    g.setTransform(1, 0, 0, 1, 0, 0)
    g.clearRect(0, 0, e.canvas.width, e.canvas.height)
    if (!frame) return
    const { width: w, height: h } = frame, view = state.view
    g.setTransform(box.scale * dpr, 0, 0, box.scale * dpr, box.x * dpr, box.y * dpr)
    g.globalAlpha = 1
    g.imageSmoothingEnabled = box.scale * dpr < 4 // near enough to count pixels, show pixels
    g.drawImage(layers.grey && view !== 'prediction' && view !== 'truth' && view !== 'curtain' ? layers.grey : frame.photo, 0, 0, w, h)
    g.imageSmoothingEnabled = false // a mean of Road and Sky is not a class
    g.globalAlpha = state.shown ? state.opacity : 0
    if (view === 'curtain') {
      const x = state.curtain * w
      for (const [layer, from, to] of [[layers.pred, 0, x], [layers.truth, x, w]]) {
        g.save()
        g.beginPath()
        g.rect(from, 0, to - from, h)
        g.clip()
        if (layer) g.drawImage(layer, 0, 0)
        g.restore()
      }
    } else {
      const layer = layers[{ prediction: 'pred' }[view] ?? view]
      if (layer) g.drawImage(layer, 0, 0)
    }
    curtain()
  }
  function curtain() {
    const on = state.view === 'curtain' && !!frame
    e.curtain.hidden = e.left.hidden = e.right.hidden = !on
    if (!on) return
    e.curtain.style.transform = `translateX(${box.x + state.curtain * frame.width * box.scale}px)`
    setAttr(e.curtain, 'aria-valuenow', Math.round(100 * state.curtain))
  }

  // The stage is as wide as there is room and as high as the frame needs, within reason.
  function resize() {
    const wide = e.stage.clientWidth, [h, w] = meta.sizes[state.index ?? 0], dpr = window.devicePixelRatio || 1
    if (!wide) return
    const high = Math.round(clamp(wide * h / w, 120, 620))
    e.stage.style.height = high + 'px'
    e.canvas.width = Math.round(wide * dpr)
    e.canvas.height = Math.round(high * dpr)
    Object.assign(box, { wide, high, dpr: e.canvas.width / wide })
    box.fit = Math.min(wide / w, high / h)
    if (!box.held) Object.assign(box, { scale: box.fit, x: (wide - w * box.fit) / 2, y: (high - h * box.fit) / 2 })
    place_()
  }
  function place_() { // keep the frame in sight
    const [h, w] = meta.sizes[state.index ?? 0]
    for (const [axis, room, size] of [['x', box.wide, w * box.scale], ['y', box.high, h * box.scale]])
      box[axis] = size <= room ? (room - size) / 2 : clamp(box[axis], room - size, 0)
    setText(e.zoom, box.scale < 10 ? box.scale.toFixed(1) + '×' : Math.round(box.scale) + '×')
    draw()
  }
  // `by` 0 fits; else the point (x, y) of the stage stays where it is.
  function zoom(by, x = box.wide / 2, y = box.high / 2) {
    const scale = by ? clamp(box.scale * by, box.fit, Math.max(40, box.fit)) : box.fit, k = scale / box.scale
    Object.assign(box, { scale, x: x - (x - box.x) * k, y: y - (y - box.y) * k, held: scale > box.fit * 1.001 })
    e.canvas.classList.toggle('pv-grab', box.held)
    place_()
  }
  function follow() { // whoever reads pixel by pixel pans with it
    const edge = 2 * box.scale
    for (const [axis, room, p] of [['x', box.wide, probe?.px], ['y', box.high, probe?.py]])
      if (p != null) box[axis] = clamp(box[axis], edge - p * box.scale, room - edge - p * box.scale)
    place_()
  }
  function spot(event) { // where on the canvas, and which pixel of the frame
    const r = e.canvas.getBoundingClientRect(), x = event.clientX - r.left, y = event.clientY - r.top
    return { x, y, px: Math.floor((x - box.x) / box.scale), py: Math.floor((y - box.y) / box.scale) }
  }
  const slide = x => set({ curtain: clamp((x - box.x) / (frame.width * box.scale), 0, 1) })

  function read(px, py, aloud = false) { // the pixel under the pointer, in words
    setAttr(e.read, 'aria-live', aloud ? 'polite' : 'off') // a moving mouse would never let a screen reader finish
    const inside = frame && px >= 0 && py >= 0 && px < frame.width && py < frame.height
    probe = inside ? { px, py } : null
    e.read.replaceChildren()
    if (!inside) return
    const p = py * frame.width + px, at = k => frame[k] ? frame[k][p] : null, pred = at('pred'), truth = at('truth')
    const chip = (word, id) => make('span', { class: 'pv-chip' }, make('span', { class: 'pv-dim' }, word),
      make('span', { class: 'pv-swatch', style: `background:${css(meta.palettes[state.palette][id])}` }), meta.labels[id])
    e.read.append(chip('predicted', pred))
    if (truth != null) e.read.append(chip('truth', truth), make('span', { class: truth === meta.void ? 'pv-dim' : pred === truth ? 'pv-ok' : 'pv-bad' },
      truth === meta.void ? 'not judged' : pred === truth ? '✓ right' : '✗ wrong'))
    if (frame.conf) e.read.append(make('span', {}, make('span', { class: 'pv-dim' }, 'confidence '), percent(frame.conf[p] / 255)))
    const k = meta.sizes[frame.index][2]
    e.read.append(make('span', { class: 'pv-dim pv-end' }, `x ${px * k}, y ${py * k}`))
  }

  let drag = null
  e.canvas.addEventListener('pointerdown', event => {
    if (event.button || !frame) return
    e.canvas.setPointerCapture(event.pointerId)
    drag = { x: event.clientX - box.x, y: event.clientY - box.y, pan: box.held }
    if (!box.held && state.view === 'curtain') slide(spot(event).x)
  })
  e.canvas.addEventListener('pointermove', event => {
    if (drag?.pan) { Object.assign(box, { x: event.clientX - drag.x, y: event.clientY - drag.y }); place_() }
    const s = spot(event) // where the frame is now
    if (drag && !drag.pan && state.view === 'curtain') slide(s.x)
    read(s.px, s.py)
  })
  for (const type of ['pointerup', 'pointercancel']) e.canvas.addEventListener(type, () => { drag = null })
  e.canvas.addEventListener('pointerleave', () => read(-1, -1))
  e.canvas.addEventListener('dblclick', event => { const s = spot(event); zoom(box.held ? 0 : 3, s.x, s.y) })
  e.canvas.addEventListener('wheel', event => { // a bare wheel scrolls the page, unless the reader is already inside the frame
    if (!frame || !(event.ctrlKey || event.metaKey || box.held)) return
    event.preventDefault()
    const s = spot(event)
    zoom(Math.exp(-clamp(event.deltaY, -60, 60) / 150), s.x, s.y)
  }, { passive: false })
  e.curtain.addEventListener('pointerdown', event => { e.curtain.setPointerCapture(event.pointerId); event.preventDefault(); e.curtain.focus() })
  e.curtain.addEventListener('pointermove', event => { if (e.curtain.hasPointerCapture(event.pointerId)) slide(spot(event).x) })

  // ------------------------------------------------------------ 6 state: what changes what, and the model

  const TO_PYTHON = ['index', 'order', 'step'] // where the reader is; how he looks stays in the browser

  function set(change) {
    const was = { ...state }
    Object.assign(state, change)
    const changed = (...names) => names.some(k => state[k] !== was[k])
    if (changed('order', 'step')) sort()
    if (changed('index', 'step')) { show(); film(true) }
    else if (changed('view', 'off', 'palette')) repaint()
    else if (changed('opacity', 'curtain', 'shown')) draw()
    if (changed('palette', 'order')) { thumbs.clear(); e.film.replaceChildren(); film(true) }
    controls()
    const news = TO_PYTHON.filter(k => state[k] !== was[k] && state[k] !== model.get(k) && !(k === 'step' && follows()))
    if (news.length) { for (const k of news) model.set(k, state[k]); model.save_changes() }
    if (changed('step') && follows() && model.get('step') !== -1) { model.set('step', -1); model.save_changes() }
  }
  const steps = () => model.get('steps')
  const follows = () => state.step === steps().length - 1 // at the last step one stays with the newest

  // The table has a row a frame and a column a score: nan where there is none, infinity where nobody has counted yet.
  const cell = (i, c) => table && columns.includes(c) ? table[i * columns.length + columns.indexOf(c)] : NaN
  function sort() {
    const bytes = model.get('_tables')[state.step], of = bytes && asBytes(bytes)
    table = of?.length ? new Float32Array(of.slice().buffer) : null
    order = [...Array(n).keys()]
    const { names } = meta, c = state.order.slice(6)
    if (state.order === 'name') order.sort((a, b) => names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : a - b)
    else if (state.order !== 'given') {
      order.sort((a, b) => isNaN(cell(a, c)) - isNaN(cell(b, c)) || cell(a, c) - cell(b, c) || a - b)
      if (order.some(i => cell(i, c) === Infinity)) model.send({ type: 'score', step: state.step })
    }
    place = new Map(order.map((i, k) => [i, k]))
  }
  function arrange(order_) { // whoever asks for the worst wants to see it
    set({ order: order_ })
    if (order_.startsWith('worst ')) set({ index: order[0] })
  }
  function go(by) { set({ index: order[clamp(place.get(state.index) + by, 0, n - 1)] }) }
  function toggle(id) {
    const off = new Set(state.off)
    if (!off.delete(id)) off.add(id)
    set({ off })
  }
  const alone = id => !state.off.has(id) && state.off.size === meta.labels.length - 1
  function solo(id) { set({ off: alone(id) ? new Set() : new Set([...meta.labels.keys()].filter(k => k !== id)) }) }
  function play() {
    clearInterval(timer)
    timer = timer ? 0 : setInterval(() => set({ step: (state.step + 1) % steps().length }), 400)
    controls()
  }
  function help() { e.keys.hidden = !e.keys.hidden; controls() }

  function controls() { // bring every control in line with the state
    for (const [view, b] of Object.entries(e.views)) setAttr(b, 'aria-pressed', state.view === view)
    setAttr(e.mask, 'aria-pressed', state.shown)
    setAttr(e.palette, 'aria-pressed', state.palette === 'safe')
    setAttr(e.help, 'aria-expanded', !e.keys.hidden)
    if (+e.opacity.value !== state.opacity) e.opacity.value = state.opacity
    setText(e.percent, percent(state.shown ? state.opacity : 0))
    if (e.order.value !== state.order) e.order.value = state.order
    const k = place.get(state.index)
    e.prev.disabled = k === 0
    e.next.disabled = k === n - 1
    const many = steps().length
    e.steps.hidden = many < 2
    e.step.max = many - 1
    e.step.value = state.step
    setText(e.stepName, `${steps()[state.step] || state.step + 1}`)
    setText(e.play, timer ? '❚❚' : '▸')
    e.rows.forEach(({ toggle, solo }, id) => {
      setAttr(toggle, 'aria-pressed', !state.off.has(id))
      setAttr(solo, 'aria-pressed', alone(id))
    })
  }
  function caption() { // words and numbers around the picture
    const i = state.index
    setText(e.name, meta.names[i])
    e.name.title = meta.names[i]
    setText(e.place, `${place.get(i) + 1} of ${n}`)
    const scores = columns.filter(c => !meta.labels.includes(c) || c === state.order.slice(6)).map(c => [c, cell(i, c)])
    setText(e.score, scores.filter(([, v]) => v < Infinity).map(([c, v]) => `${c} ${v.toFixed(3)}`).join('   '))
    const shares = frame?.index === i ? frame.shares[state.view === 'truth' ? 'truth' : 'pred'] : null
    const most = shares ? Math.max(...shares) : 1
    e.rows.forEach((r, id) => {
      r.swatch.style.background = css(meta.palettes[state.palette][id])
      r.row.classList.toggle('pv-absent', !shares?.[id])
      setText(r.share, shares ? percent(shares[id], 1) : '')
      r.bar.style.width = shares ? `${100 * shares[id] / most}%` : 0
      const iou = cell(i, meta.labels[id])
      setText(r.iou, isFinite(iou) ? iou.toFixed(2) : '')
    })
    const with_ = columns.some(c => meta.labels.includes(c))
    e.head.hidden = !with_
    e.root.classList.toggle('pv-unscored', !with_)
    setAttr(e.canvas, 'aria-label', `${meta.names[i]}, ${state.view}`)
  }
  function legend() { // what the colours mean where they are not those of the classes
    const { view } = state, swatch = (color, word) => [make('span', { class: 'pv-swatch', style: `background:${color}` }), word]
    e.legend.replaceChildren()
    if (view === 'errors') meta.errors.names.forEach((w, k) => e.legend.append(...swatch(css(meta.errors.colors[k]), w)))
    if (view === 'confidence') e.legend.append('unsure', make('span', { class: 'pv-ramp',
      style: `background:linear-gradient(90deg, ${[255, 192, 128, 64, 0].map(k => css(meta.heat[k])).join(',')})` }), 'sure')
    e.legend.hidden = !e.legend.childNodes.length
  }

  // The strip draws only the thumbnails in sight, so ten thousand cost no more than ten.
  const thumbs = new Map()
  let filming = 0, shelf = 0 // the strip's width
  function film(follow = false) {
    e.strip.hidden = n < 2
    e.film.style.width = `${n * THUMB}px`
    const k = place.get(state.index)
    shelf = e.strip.clientWidth || shelf
    if (follow && (k * THUMB < e.strip.scrollLeft || (k + 1) * THUMB > e.strip.scrollLeft + shelf)) e.strip.scrollLeft = (k + .5) * THUMB - shelf / 2
    filming ||= requestAnimationFrame(() => { filming = 0; filmNow() })
  }
  function filmNow() {
    const first = Math.floor(e.strip.scrollLeft / THUMB), last = Math.min(n - 1, first + Math.ceil(shelf / THUMB))
    const seen = order.slice(first, last + 1)
    for (const [i, b] of thumbs) if (!seen.includes(i)) { b.remove(); thumbs.delete(i) }
    seen.forEach((i, k) => {
      if (!thumbs.has(i)) {
        const b = make('button', { type: 'button', class: 'pv-thumb', tabindex: -1, title: meta.names[i],
          'aria-label': meta.names[i], onclick: () => set({ index: i }) }, make('canvas', { width: 80, height: 60 }), make('span', {}))
        thumbs.set(i, b)
        e.film.append(b)
      }
      const b = thumbs.get(i), c = state.order.startsWith('worst ') ? state.order.slice(6) : columns.includes('IoU') ? 'IoU' : null
      b.style.transform = `translateX(${(first + k) * THUMB}px)`
      setAttr(b, 'aria-current', i === state.index)
      const v = c ? cell(i, c) : NaN
      setText(b.lastChild, isFinite(v) ? v.toFixed(2) : '')
      miniature(b, i)
    })
    store.want('thumbs', seen.filter(i => !store.has(`photo/${i}`)).map(i => `thumb/${i}`))
  }
  async function miniature(b, i) {
    const photo = store.get(`photo/${i}`) ?? store.get(`thumb/${i}`), key = `pred/${state.step}/${i}`, pred = photo && store.get(key)
    const what = photo ? `${pred ? key : 'photo'} ${state.palette}` : ''
    if (!photo || b.dataset.what === what) return
    b.dataset.what = what
    const c = b.firstChild, g = c.getContext('2d'), [h, w] = meta.sizes[i], k = Math.min(80 / w, 60 / h)
    const x = (80 - k * w) / 2, y = (60 - k * h) / 2
    const [bitmap, mask] = await Promise.all([decodePhoto(photo), pred && inflate(pred)])
    g.clearRect(0, 0, 80, 60)
    g.globalAlpha = 1
    g.drawImage(bitmap, x, y, k * w, k * h)
    bitmap.close()
    if (!mask) return
    const colors = lookup(meta.palettes[state.palette])
    g.globalAlpha = .5
    g.drawImage(paint(null, w, h, p => colors[mask[p]]), x, y, k * w, k * h)
  }

  function key(event) {
    const { target } = event, typing = target.matches('input, select'), shift = event.shiftKey
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const at = probe ?? { px: Math.floor(frame?.width / 2), py: Math.floor(frame?.height / 2) }
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    const f = {
      ArrowLeft: () => go(-1), ArrowRight: () => go(1), Home: () => go(-n), End: () => go(n),
      ' ': target.matches('button') ? null : () => set({ shown: !state.shown }), m: () => set({ shown: !state.shown }),
      '[': () => set({ opacity: clamp(state.opacity - .1, 0, 1) }), ']': () => set({ opacity: clamp(state.opacity + .1, 0, 1) }),
      s: () => probe && solo(frame.pred[probe.py * frame.width + probe.px]), '?': help, Escape: () => { e.keys.hidden = true; controls() },
      '+': () => zoom(1.5), '=': () => zoom(1.5), '-': () => zoom(1 / 1.5), 0: () => zoom(0) }
    meta.views.forEach((view, k) => { f[k + 1] = () => set({ view }) })
    let todo = f[event.key] ?? f[event.key.toLowerCase()]
    if (target === e.curtain && move?.[0]) todo = () => set({ curtain: clamp(state.curtain + .02 * move[0], 0, 1) })
    else if (target === e.canvas && shift && move && frame) todo = () => { read(at.px + move[0], at.py + move[1], true); follow() }
    if (typing) todo = null
    if (todo) { todo(); event.preventDefault() }
    event.stopPropagation() // the classic notebook listens further up
  }
  e.root.addEventListener('keydown', key)

  // What Python sets, the view obeys.
  const ids = names => new Set(names.map(o => meta.labels.indexOf(o)))
  const pull = { index: 0, opacity: 0, curtain: 0, view: 0, order: 0, palette: 0,
    off: ids, step: s => s < 0 ? steps().length + s : s }
  const fromModel = k => pull[k] ? pull[k](model.get(k)) : model.get(k)
  const heard = Object.fromEntries(Object.keys(pull).map(k => [`change:${k}`, () => {
    const value = fromModel(k)
    if (k === 'off' ? [...value].join() !== [...state.off].join() : value !== state[k]) set({ [k]: value })
  }]))
  heard['change:steps'] = () => { // one more set of predictions: take it, and go on to it if the reader is at the newest
    const many = steps().length
    for (let s = 0; s < many; s++) store.take(model.get(`_step${s}`))
    if (model.get('step') === -1 && state.step === many - 2) set({ step: many - 1 })
    else controls()
  }
  heard['change:_tables'] = () => { sort(); caption(); film(); controls() }
  heard['msg:custom'] = message => { if (message.type === 'scored') note(message.done < n ? `scoring ${message.done} of ${n} …` : '') }
  for (const [name, f] of Object.entries(heard)) model.on(name, f)

  const packs = () => [model.get('_pack'), ...steps().map((_, s) => model.get(`_step${s}`))]
  const pack = model.get('_pack')
  VISITORS.set(pack, (VISITORS.get(pack) ?? 0) + 1)
  for (const p of packs()) store.take(p)
  el.append(e.root)
  const start = Object.fromEntries(Object.keys(pull).map(k => [k, fromModel(k)]))
  Object.assign(state, start)
  sort()
  const watch = new ResizeObserver(() => { resize(); film() })
  watch.observe(e.stage)
  show()
  controls()
  film(true)

  return () => { // the cell was run again, or closed: leave nothing behind
    ticket++
    clearInterval(timer)
    cancelAnimationFrame(request)
    cancelAnimationFrame(filming)
    watch.disconnect()
    for (const [name, f] of Object.entries(heard)) model.off(name, f)
    store.close()
    decoded.kept.clear()
    thumbs.clear()
    e.root.remove()
    for (const part in e) delete e[part] // notebooks keep old views, and with them this function: keep nothing through it
    frame = layers = null
    const left = VISITORS.get(pack) - 1
    VISITORS.set(pack, left)
    if (left) return
    // Nobody looks any more, but the model stays as long as its Python half. It need not hold megabytes meanwhile.
    for (const p of packs()) for (const k of Object.keys(p ?? {})) delete p[k]
    model.send({ type: 'freed' })
  }
}

export default { render }
