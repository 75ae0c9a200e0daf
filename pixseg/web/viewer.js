// The mask viewer, wholly in the browser.
//
// A widget is state plus a thin view. Python sends three things once: the frames (photographs as JPEG, masks as
// deflated class numbers), a table of scores, and what the classes are called and coloured. All that a reader then
// does - opacity, classes, curtain, zoom, hover, next - happens in this file, so it goes on while a cell is running
// and in a page saved to disk, where `model` is a plain object with the same five methods.
//
//   1  small helpers                  4  the order of the frames,     7  Stage: pan, zoom, hover, curtain, drawing
//   2  the store of bytes                what is counted in them      8  Readout, Filmstrip, Keys, Panel, Overview
//   3  layers: masks as pixels        5  geometry, 6 the controls     9  Viewer: what changes what, and the model
//
// What needs no browser is exported by name, and tested without one (tests/js).

// ---------------------------------------------------------------------------------------------- 1 small helpers

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high)
export const percent = (x, digits = 0) => isFinite(x) ? (100 * x).toFixed(digits) + '%' : '–'
export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`

// An element with attributes, listeners (onclick: f) and children. Names of files and classes come from anywhere,
// so strings become text nodes, never HTML.
/** @template {keyof HTMLElementTagNameMap} K @param {K} tag @returns {HTMLElementTagNameMap[K]} */
export function make(tag, attributes = {}, ...children) {
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
export const setText = (e, text) => { if (e.textContent !== text) e.textContent = text }
export const setAttr = (e, key, value) => { if (e.getAttribute(key) !== String(value)) e.setAttribute(key, value) }

export const button = (label, title, onclick, attributes = {}) =>
  make('button', { type: 'button', class: 'pv-button', title, 'aria-label': title, onclick, ...attributes }, label)

// A name cut in two, so that of a long one both ends are seen: the first gives way, the second does not.
export const halves = name => [...name].length > 22 ? [[...name].slice(0, -11).join(''), [...name].slice(-11).join('')] : [name, '']

// A class's name in the list, both ends in sight.
function nameOf(label) {
  const [head, tail] = halves(label), cut = tail ? [make('span', { class: 'pv-head-of' }, head), make('span', { class: 'pv-tail-of' }, tail)] : [label]
  return make('span', { class: 'pv-label' + (tail ? ' pv-long' : '') }, ...cut)
}

export const asBytes = v => v instanceof Uint8Array ? v : new Uint8Array(v.buffer, v.byteOffset, v.byteLength)

// Class numbers must arrive exactly. A PNG drawn on a canvas may be colour-managed on the way; inflating cannot be.
export const inflate = async bytes => new Uint8Array(await new Response(
  new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer())

export const decodePhoto = bytes => createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }))

function canvas(width, height) {
  const c = document.createElement('canvas')
  c.width = width
  c.height = height
  return c
}

// How high something may be: as high as what scrolls around it. A notebook's output may scroll, too, but is as high as what
// is in it: it shrinks when that is taken out of the flow, which a true frame does not.
export function roomAround(root) {
  const { position } = root.style
  let up = root.parentElement
  root.style.position = 'absolute'
  while (up && !(/auto|scroll/.test(getComputedStyle(up).overflowY) && up.clientHeight > 400)) up = up.parentElement
  const inner = up && up !== document.body && up !== document.documentElement ? up.clientHeight : 0
  root.style.position = position
  const framed = window !== window.parent // Colab's frames are as high as what is in them
  return Math.max(420, (inner || (framed ? screen.availHeight - 160 : window.innerHeight)) - 40)
}

// ------------------------------------------------------------------------------------------ 2 the store of bytes

// What a frame at a step is made of: keys of the store.
export const keysOf = (meta, step, i) => [`photo/${i}`, `pred/${step}/${i}`,
  ...(meta.truth ? [`truth/${i}`] : []), ...(meta.conf ? [`conf/${step}/${i}`] : [])]

// Bytes by key: 'photo/3', 'truth/3', 'pred/0/3' and 'conf/0/3' (step, frame), 'thumb/3'. What the model brought along
// is simply there. The rest is asked for, one question at a time, so that somebody who runs through a thousand frames
// does not leave a thousand questions behind: only the latest wish counts.
export class Store {
  constructor(model, onarrive, room = 64e6) {
    this.model = model
    this.onarrive = onarrive
    this.room = room
    this.size = this.asked = 0
    this.wishes = {}         // who -> keys, most urgent first
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
export class Decoded {
  constructor(store, room = 96e6, decode = (key, bytes) => key.startsWith('photo') ? decodePhoto(bytes) : inflate(bytes)) {
    this.store = store
    this.room = room
    this.decode = decode
    this.size = 0
    this.kept = new Map()
  }
  async get(key) {
    let item = this.kept.get(key)
    if (!item) {
      const bytes = this.store.get(key)
      item = { value: bytes && this.decode(key, bytes), size: 0 }
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
export function lookup(colors, on = _ => true) {
  const table = new Uint8ClampedArray(1024)
  colors.forEach((c, id) => table.set([...c, on(id) ? 255 : 0], 4 * id))
  return new Uint32Array(table.buffer)
}

// The share of every class in a mask.
export function shares(mask) {
  const counts = new Float64Array(256)
  for (let p = 0; p < mask.length; p++) counts[mask[p]]++
  return counts.map(c => c / mask.length)
}

// The layers that a view lays over the photograph, and whether that is grey.
export const LAYERS = { prediction: ['pred'], truth: ['truth'], curtain: ['pred', 'right'], errors: ['errors'], confidence: ['confidence'],
  changes: ['changes'], lit: ['lit'] }
const isGrey = view => ['errors', 'confidence', 'changes', 'lit'].includes(view)

// The views there are: with more than one step, what lies between two of them.
export const viewsOf = (meta, steps) => ['prediction', 'truth', 'curtain', 'errors', 'confidence', 'changes'].filter(v =>
  meta.views.includes(v) || (steps > 1 && ['curtain', 'changes'].includes(v)))

// The step that a view sets beside the one shown, as `MaskBrowser._beside`; null where that is the truth, or nothing.
export function beside({ view, step, against }, truth, steps) {
  if (steps < 2 || !['curtain', 'changes'].includes(view)) return null
  return against >= 0 ? against : view === 'curtain' && truth ? null : step ? step - 1 : 1
}

// The mask right of the curtain: of a step, if one is set beside and has come, or the truth.
const rightOf = (frame, other) => other == null ? frame.truth : frame.otherStep === other ? frame.other : null

// The view that is seen: pixels of one kind are lit, or the view that was chosen.
export const seen = ({ view, pair }) => pair >= 0 ? 'lit' : view

const LIT = [255, 214, 0] // yellow: no photograph made grey has it, and every eye sees it

// What a layer says of pixel p, as a colour of `lookup`; 0 is nothing. None where the frame has no such thing.
export function painter(layer, frame, meta, { palette, off, pair, other = null }) {
  const { pred, truth, conf } = frame, second = rightOf(frame, other)
  const on = id => !off.has(id), void_ = meta.void ?? -1
  if (['pred', 'truth', 'right'].includes(layer)) {
    const colors = lookup(meta.palettes[palette], on), mask = { pred, truth, right: second }[layer]
    return mask && (p => colors[mask[p]])
  }
  if (layer === 'confidence') {
    const heat = lookup(meta.heat)
    return conf && (p => on(pred[p]) ? heat[255 - conf[p]] : 0)
  }
  if (layer === 'changes') {
    const [mended, broken, both, changed] = lookup(meta.changes.colors)
    if (other == null || !second) return null
    const any = p => on(second[p]) || on(pred[p]) || (truth && on(truth[p]))
    if (!truth) return p => second[p] !== pred[p] && any(p) ? changed : 0
    return p => truth[p] === void_ || !any(p) ? 0 : second[p] === truth[p] ? (pred[p] === truth[p] ? 0 : broken) : pred[p] === truth[p] ? mended : both
  }
  if (layer === 'lit') {
    const n = meta.labels.length, t = Math.floor(pair / n), q = pair % n, [lit] = lookup([LIT])
    return truth && (p => truth[p] === t && pred[p] === q ? lit : 0)
  }
  const [right, wrong, unjudged] = lookup(meta.errors.colors), shown = Array.from({ length: 256 }, (_, id) => on(id))
  return truth && (p => truth[p] === void_ ? (shown[truth[p]] ? unjudged : 0)
    : pred[p] === truth[p] ? (shown[pred[p]] ? right : 0) : shown[pred[p]] || shown[truth[p]] ? wrong : 0)
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

// ------------------------------------------------------------------------------------- 4 the order of the frames

// What a score is called to the reader: a frame's own IoU is the mean over its classes, unless somebody's own score has that name.
export const titleOf = (column, meta) => column === 'IoU' && meta.mean ? 'mean IoU' : column

// The score that an order sorts by: 'IoU' of 'worst IoU'.
export const scoreOf = by => by.startsWith('worst ') ? by.slice(6) : null

// The frames in the order asked for. A table has a row a frame and a column a score: nan where there is none, infinity
// where nobody has counted yet.
export class Ranking {
  constructor(names, columns) {
    this.names = names
    this.columns = columns
    this.sort('given', null)
  }
  // `most`: how much a frame has of what is looked for, most first, whatever the order; `left`: whether a filter leaves it.
  sort(by, bytes, { most = null, left = null } = {}) {
    const { names } = this, score = most ? null : scoreOf(by)
    this.table = bytes?.length ? new Float32Array(bytes.slice().buffer) : null
    this.all = [...names.keys()]
    if (most) this.all.sort((a, b) => most(b) - most(a) || a - b)
    else if (by === 'name') this.all.sort((a, b) => names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : a - b)
    else if (score) this.all.sort((a, b) => {
      const x = this.cell(a, score), y = this.cell(b, score)
      return Number(isNaN(x)) - Number(isNaN(y)) || x - y || a - b // two infinities: nan, so by number
    })
    this.order = left ? this.all.filter(left) : this.all // place -> frame
    this.place = new Map(this.order.map((i, k) => [i, k])) // frame -> place
    this.uncounted = !!score && this.all.some(i => this.cell(i, score) === Infinity)
  }
  cell(i, column) {
    const c = this.columns.indexOf(column)
    return this.table && c >= 0 ? this.table[i * this.columns.length + c] : NaN
  }
  from(i, by) { // so many places on, or the last; a frame that is not left stands between its neighbours
    const { all, order } = this
    if (!order.length) return i
    const rank = new Map(all.map((o, k) => [o, k])), next = order.findIndex(o => rank.get(o) > rank.get(i))
    const k = this.place.get(i) ?? (next < 0 ? order.length : next) - (by > 0 ? 1 : 0)
    return order[clamp(k + by, 0, order.length - 1)]
  }
  at(i) { return this.place.has(i) ? `${this.place.get(i) + 1} of ${this.order.length}` : `not among ${this.order.length}` }
  around(i) { return [1, 2, -1].map(d => this.order[this.place.get(i) + d]).filter(k => k != null) } // likely the next
}

// What Python has counted in the frames of a step: pixels of every pair of true and predicted class that occurs. It counts
// all pixels of the masks, also of those that are sent thinned. `flat`: sizes, pairs (true * n + predicted), pixels.
export class Counts {
  constructor(flat, frames, n) {
    this.n = n
    this.frames = frames
    this.sizes = flat.subarray(0, frames) // -1: not counted yet, -2: failed
    this.starts = [frames]
    for (const size of this.sizes) this.starts.push(this.starts.at(-1) + Math.max(size, 0))
    this.flat = flat
    this.pairs = this.starts[frames] - frames
    this.counted = this.sizes.filter(o => o >= 0).length
    this.waiting = this.sizes.includes(-1)
  }
  each(i, f) { for (let k = this.starts[i]; k < this.starts[i + 1]; k++) f(this.flat[k], this.flat[k + this.pairs]) }
  at(i, pair) {
    let pixels = 0
    this.each(i, (o, count) => { if (o === pair) pixels = count })
    return pixels
  }
  having(pair) { return [...Array(this.frames).keys()].filter(i => this.at(i, pair)).length } // frames
  has(i, id) { // whether the class is there, in truth or prediction
    let found = false
    this.each(i, o => { found ||= Math.floor(o / this.n) === id || o % this.n === id })
    return found
  }
  total() { // all frames together
    const sum = new Float64Array(this.n ** 2)
    for (let i = 0; i < this.frames; i++) this.each(i, (o, count) => { sum[o] += count })
    return sum
  }
}

// What follows from a table of pixels, rows true, columns predicted: as `MaskBrowser.totals`. Void has no row, and no IoU.
export function totals(table, n, void_) {
  const rows = new Float64Array(n), columns = new Float64Array(n)
  table.forEach((count, o) => { rows[Math.floor(o / n)] += count; columns[o % n] += count })
  const right = [...Array(n).keys()].map(id => table[id * n + id])
  const iou = right.map((o, id) => id === void_ ? NaN : o / (rows[id] + columns[id] - o)), known = iou.filter(o => !isNaN(o))
  const sum = list => list.reduce((a, b) => a + b, 0), pixels = sum(rows)
  return { rows, columns, iou, pixels, accuracy: sum(right) / pixels, meanIoU: sum(known) / known.length }
}

// Wrong pairs, largest first: by share of the true class, or by pixels.
export function confusions(table, n, { rows }, by = 'share', most = 100) {
  const found = []
  table.forEach((pixels, pair) => {
    const t = Math.floor(pair / n)
    if (pixels && t !== pair % n) found.push({ pair, pixels, share: pixels / rows[t] })
  })
  return found.sort((a, b) => b[by] - a[by] || a.pair - b.pair).slice(0, most)
}

// A pair in words.
export const pairName = (pair, labels) => {
  const t = labels[Math.floor(pair / labels.length)], p = labels[pair % labels.length]
  return t === p ? `${t} found as ${p}` : `${t} taken for ${p}`
}

// Whether a filter leaves a frame; null if it leaves all. `wish`: {name: letters, present: class or -1, marked: flagged only}.
export function sieve({ name, present, marked, flagged }, names, counts) {
  const letters = name.trim().toLowerCase(), asked = letters || present >= 0 || marked
  return asked ? i => names[i].toLowerCase().includes(letters) && (!marked || flagged.has(i))
    && (present < 0 || !!counts?.has(i, present)) : null
}

// The class that a text names: by its name, or as the only one with these letters; -1 for no text, NaN for none or several.
export function classNamed(text, labels, void_) {
  const wanted = text.trim().toLowerCase(), ids = [...labels.keys()].filter(id => id !== void_), low = id => labels[id].toLowerCase()
  const exact = ids.filter(id => low(id) === wanted), near = exact.length ? exact : ids.filter(id => low(id).includes(wanted))
  return !wanted ? -1 : near.length === 1 || exact.length ? near[0] : NaN
}

// ---------------------------------------------------------------------------------------------------- 5 geometry

// Where the frame lies on the stage, in CSS pixels. Its size is that of the frame on the stage, which is not yet that of
// a frame still on its way. The stage's is kept, since a notebook hides everything for a moment when its theme changes.
export class Box {
  constructor(width, height) {
    this.width = width // of the frame
    this.height = height
    this.wide = this.high = 0 // the stage
    this.dpr = this.scale = this.fit = 1 // screen pixels a CSS pixel; CSS pixels a mask pixel: now, and to fit
    this.x = this.y = 0 // the frame's corner
    this.held = false // larger than fits, where the reader wants it
  }
  holds(width, height) { return this.width === width && this.height === height }
  take(width, height) { Object.assign(this, { width, height, held: false }) } // a frame of another size is seen whole
  stage(wide, most = 620) { // as wide as there is room and as high as the frame needs, within reason
    const high = Math.round(clamp(wide * this.height / this.width, 120, most))
    Object.assign(this, { wide, high, fit: Math.min(wide / this.width, high / this.height) })
    if (this.scale <= this.fit) this.held = false // the stage has outgrown it
    if (!this.held) this.scale = this.fit
    this.place()
  }
  place() { // keep the frame in sight
    const along = (at, room, size) => size <= room ? (room - size) / 2 : clamp(at, room - size, 0)
    this.x = along(this.x, this.wide, this.width * this.scale)
    this.y = along(this.y, this.high, this.height * this.scale)
  }
  pan(x, y) { Object.assign(this, { x, y }); this.place() }
  // `by` 0 fits; else the point (x, y) of the stage stays where it is.
  zoom(by, x = this.wide / 2, y = this.high / 2) {
    const scale = by ? clamp(this.scale * by, this.fit, Math.max(40, this.fit)) : this.fit, k = scale / this.scale
    Object.assign(this, { scale, held: scale > this.fit * 1.001 })
    this.pan(x - (x - this.x) * k, y - (y - this.y) * k)
  }
  reveal({ px, py }) { // bring a pixel into sight, with a little around it
    const edge = 2 * this.scale, along = (at, room, p) => clamp(at, edge - p * this.scale, room - edge - p * this.scale)
    this.pan(along(this.x, this.wide, px), along(this.y, this.high, py))
  }
  pixel(x, y) { // the pixel of the frame at a point of the stage; none beside the frame
    const px = Math.floor((x - this.x) / this.scale), py = Math.floor((y - this.y) / this.scale)
    return x >= 0 && y >= 0 && x < this.wide && y < this.high ? this.inside({ px, py }) : null
  }
  inside(at) { return at.px >= 0 && at.py >= 0 && at.px < this.width && at.py < this.height ? at : null }
  share(x) { return clamp((x - this.x) / (this.width * this.scale), 0, 1) } // of the frame's width, left of x
}

// ------------------------------------------------------------------------------------------------ 6 the controls

const HELP = [['← →', 'previous, next frame'], ['Home End', 'first, last'], ['Space', 'mask on or off'],
  ['[ ]', 'less, more opacity'], ['1 … 6', 'view'], ['S', 'only the class under the pointer, or all again'], ['F', 'flag this frame, or not'],
  ['/', 'filter the frames'], ['A', 'all frames: scores and confusions'],
  ['G', 'the frames as a grid; Enter opens one'], ['P', 'save this view as a PNG'], ['W', 'fullscreen'],
  ['+ − 0', 'zoom in, out, fit'], ['drag', 'pan, or move the curtain'], ['Ctrl wheel', 'zoom'],
  ['Shift ← ↑ → ↓', 'read out pixel by pixel'], ['← ↑ → ↓', 'when zoomed in: look further along; frames by Page ↑ ↓'], ['↑ ↓', 'in the list of classes: go through it'],
  ['Escape', 'end lit pixels, close what is open'], ['?', 'this list']]

const TITLES = { prediction: 'What the network says', truth: 'What it should say',
  curtain: 'Prediction left of the line, truth right of it', errors: 'Where it is wrong',
  confidence: 'Where it was unsure: bright is unsure', changes: 'What became better or worse between two steps' }

const MANY = 25 // classes that ask for a search box

// All elements of the viewer, made once. `act` holds what to do when they are used.
function build(meta, act) {
  const e = {}, icon = (text, title, f, more) => button(text, title, f, { class: 'pv-button pv-icon', ...more })
  e.name = make('span', { class: 'pv-name' })
  e.place = make('span', { class: 'pv-place' })
  e.score = make('span', { class: 'pv-score' })
  e.prev = icon('‹', 'Previous frame (left arrow)', () => act.go(-1))
  e.next = icon('›', 'Next frame (right arrow)', () => act.go(1))
  e.flag = icon('⚑', 'Flag this frame (F)', () => act.flag())
  e.order = make('select', { class: 'pv-order', 'aria-label': 'Order of the frames', onchange: () => act.arrange(e.order.value) })
  const groups = { given: 'as given', name: 'by name' }
  for (const [value, text] of Object.entries(groups)) e.order.append(make('option', { value }, text))
  if (meta.columns.length) {
    const worst = make('optgroup', { label: 'lowest first' })
    for (const c of meta.columns) worst.append(make('option', { value: 'worst ' + c }, titleOf(c, meta)))
    e.order.append(worst)
  }
  e.sought = make('option', { value: '', hidden: true })
  e.order.append(e.sought)
  const alone = meta.names.length < 2 // nowhere to go, nothing to order
  e.filter = button('Filter', 'Filter the frames (/)', () => act.filter(), { 'aria-expanded': false, hidden: alone })
  e.gridded = button('Grid', 'The frames as a grid (G)', () => act.grid(), { 'aria-pressed': false, hidden: alone })
  e.save = icon('⤓', 'Save this view as a PNG (P)', () => act.save())
  e.full = icon(make('span', { class: 'pv-screen' }), 'Fullscreen (W)', () => act.fullscreen(), { 'aria-pressed': false, hidden: !document.fullscreenEnabled })
  e.open = button('All frames', 'Scores and confusions of all frames (A)', () => act.overview(), { 'aria-expanded': false, hidden: !meta.views.includes('errors') })
  const top = make('div', { class: 'pv-row' }, make('div', { class: 'pv-group', hidden: alone }, e.prev, e.next), e.name, e.place,
    e.flag, e.score, make('div', { class: 'pv-field pv-end' }, e.filter, e.gridded, e.open), make('label', { class: 'pv-field', hidden: alone }, 'Order', e.order))

  const text = (label, more) => make('input', { class: 'pv-text-in', placeholder: label, 'aria-label': label, ...more })
  e.byName = text('letters of the name', { type: 'search', oninput: () => act.sift({ name: e.byName.value }) })
  e.byClass = text('class on it', { type: 'search', list: `pv-labels-${meta.key}`, title: 'Frames that have this class, true or predicted',
    oninput: () => act.sift({ present: classNamed(e.byClass.value, meta.labels, meta.void) }) })
  e.marked = button('⚑ only', 'Only flagged frames', () => act.sift({ marked: !act.state.marked }))
  e.remain = make('span', { class: 'pv-dim', role: 'status' })
  e.sieve = make('div', { class: 'pv-row pv-sieve', role: 'group', 'aria-label': 'Filter', hidden: true }, e.byName, e.byClass, e.marked,
    button('clear', 'No filter', () => act.unsift(), { class: 'pv-button pv-small' }), e.remain,
    make('datalist', { id: `pv-labels-${meta.key}` }, ...meta.labels.filter((_, id) => id !== meta.void).map(value => make('option', { value }))))

  e.views = Object.fromEntries((meta.views.includes('prediction') ? viewsOf(meta, 2) : meta.views).map(v => [v, button(v[0].toUpperCase() + v.slice(1),
    TITLES[v], () => act.look(v), { 'aria-label': null })]))
  e.mask = icon('◐', 'Mask on or off (space)', () => act.set({ shown: !act.state.shown }))
  e.opacity = make('input', { type: 'range', min: 0, max: 1, step: 0.01, 'aria-label': 'Opacity of the mask',
    oninput: () => act.set({ opacity: +e.opacity.value, shown: true }) })
  e.percent = make('span', { class: 'pv-number' })
  e.palette = button('colour-blind palette', 'Colours that colour-blind readers tell apart', () =>
    act.set({ palette: act.state.palette === 'colorblind' ? 'labels' : 'colorblind' }), { class: 'pv-button pv-text' })
  e.help = icon('?', 'Keys (?)', () => act.help())
  e.zoom = make('span', { class: 'pv-number', title: 'Screen pixels for a pixel of the mask' })
  const zoom = make('div', { class: 'pv-group', role: 'group', 'aria-label': 'Zoom' },
    ...[['−', 'Zoom out (-)', 1 / 1.5], ['+', 'Zoom in (+)', 1.5], ['⤢', 'Fit (0)', 0]].map(([text, title, by]) =>
      icon(text, title, () => act.zoom(by), { tabindex: -1 }))) // by key from everywhere: no stops for Tab
  e.bar = make('div', { class: 'pv-row pv-bar' },
    make('div', { class: 'pv-group', role: 'group', 'aria-label': 'View' }, ...Object.values(e.views)),
    make('label', { class: 'pv-field' }, e.mask, make('span', { class: 'pv-word' }, 'Opacity'), e.opacity, e.percent),
    make('div', { class: 'pv-field pv-end' }, e.zoom, zoom, e.palette, e.save, e.full, e.help))

  e.canvas = make('canvas', { class: 'pv-canvas', tabindex: 0, role: 'img' })
  e.left = make('span', { class: 'pv-tag pv-left' }, 'prediction')
  e.right = make('span', { class: 'pv-tag pv-right' }, 'truth')
  e.curtain = make('div', { class: 'pv-curtain', role: 'slider', tabindex: 0, 'aria-label': 'Curtain: prediction left, truth right',
    'aria-valuemin': 0, 'aria-valuemax': 100 })
  e.legend = make('div', { class: 'pv-legend' })
  e.note = make('div', { class: 'pv-note', role: 'status' })
  e.live = make('div', { class: 'pv-heard', 'aria-live': 'polite', role: 'status' }) // for those who do not see the frame change
  e.keys = make('div', { class: 'pv-keys', hidden: true }, // not a <dl>: notebooks style those
    ...HELP.flatMap(([key, what]) => [make('span', { class: 'pv-key' }, key), make('span', { class: 'pv-dim' }, what)]))
  e.stage = make('div', { class: 'pv-stage' }, e.canvas, e.curtain, e.left, e.right, e.legend, e.note, e.keys)
  e.read = make('div', { class: 'pv-read' })

  e.all = button('all', 'Every class on', () => act.set({ off: new Set() }), { class: 'pv-button pv-small' })
  e.none = button('none', 'Every class off', () => act.set({ off: new Set(meta.labels.keys()) }), { class: 'pv-button pv-small' })
  e.find = make('input', { type: 'search', class: 'pv-find', placeholder: 'find a class', 'aria-label': 'Find a class',
    hidden: meta.labels.length < MANY, oninput: () => act.find(e.find.value) })
  e.rows = meta.labels.map((label, id) => {
    const swatch = make('span', { class: 'pv-swatch' }), share = make('span', { class: 'pv-number' })
    const iou = make('span', { class: 'pv-number pv-iou' }), bar = make('span', { class: 'pv-share' })
    const toggle = make('button', { type: 'button', class: 'pv-class', title: `${label}: on or off`, 'data-id': id, tabindex: id ? -1 : 0,
      onclick: () => act.toggle(id), onfocus: () => act.rove(id) }, bar, swatch, nameOf(label), share, iou)
    const solo = button('only', `Only ${label}, or all again`, () => act.solo(id), { class: 'pv-button pv-small pv-solo', tabindex: -1 }) // S, by key
    return { row: make('li', {}, toggle, solo), toggle, solo, swatch, share, bar, iou }
  })
  e.head = make('span', { class: 'pv-iou pv-number' }, 'IoU')
  e.list = make('ul', {}, ...e.rows.map(r => r.row))
  e.classes = make('div', { class: 'pv-classes', role: 'group', 'aria-label': 'Classes' },
    make('div', { class: 'pv-head' }, make('span', { class: 'pv-label' }, 'Classes'), e.all, e.none,
      make('span', { class: 'pv-number' }, 'share'), e.head), e.find, e.list)

  e.step = make('input', { type: 'range', min: 0, step: 1, 'aria-label': 'Step',
    oninput: () => act.set({ step: +e.step.value }) })
  e.play = icon('▸', 'Play the steps', () => act.play())
  e.stepName = make('span', { class: 'pv-number pv-stepname' })
  e.against = make('select', { class: 'pv-against', 'aria-label': 'Compare with', onchange: () => act.set({ against: +e.against.value }) })
  e.compare = make('label', { class: 'pv-field' }, 'compared with', e.against)
  e.steps = make('div', { class: 'pv-row pv-steps' }, e.play, e.step, e.stepName, e.compare)
  e.film = make('div', { class: 'pv-film' })
  e.strip = make('div', { class: 'pv-strip', role: 'group', 'aria-label': 'Frames' }, e.film)
  e.side = make('div', { class: 'pv-left-side' }, e.stage, e.read, e.steps)
  e.sums = make('div', { class: 'pv-sums' })
  e.matrix = make('div', { class: 'pv-matrix' })
  e.whole = make('div', { class: 'pv-whole', role: 'group', 'aria-label': 'All frames', hidden: true }, e.sums, e.matrix)
  e.main = make('div', { class: 'pv-main' }, e.side, e.classes, e.whole)
  e.root = make('div', { class: 'pv', role: 'group', 'aria-label': 'Mask viewer', tabindex: -1,
    'data-lm-suppress-shortcuts': 'true' }, // JupyterLab: these keys are ours, "m" must not turn the cell into text
    top, e.sieve, e.bar, e.main, e.strip, e.live)
  return e
}

// ------------------------------------------------------------------------------------------------------- 7 Stage

// The picture. It holds the frame that is seen, which may be another than the one wished for and still on its way.
class Stage {
  /** @param {ReturnType<typeof build>} e */
  constructor(e, meta, state, slide) {
    this.e = e
    this.meta = meta
    this.state = state
    this.slide = slide       // told where the reader pulls the curtain
    this.moved = () => {}    // called when another pixel may lie under the pointer, or another class in it
    this.at = null           // where the reader looks: {x, y} the pointer on the stage, {px, py} a pixel gone to by keys
    this.frame = null        // {index, step, width, height, photo, pred, truth, conf}
    this.layers = {}         // canvases made from it
    this.height = 0          // of the whole viewer, if somebody has said
    this.request = 0
    this.drag = null
    const [h, w] = meta.sizes[state.index]
    this.box = new Box(w, h)
    this.listen(e.canvas, e.curtain)
    this.watch = new ResizeObserver(() => this.resize())
    this.watch.observe(e.stage)
    this.again = () => this.resize()
    e.root.addEventListener('fullscreenchange', () => { setAttr(e.full, 'aria-pressed', this.full()); this.resize() })
    window.addEventListener('resize', this.again) // a lower window leaves the stage as wide as it was
  }
  close() {
    this.watch.disconnect()
    window.removeEventListener('resize', this.again)
    cancelAnimationFrame(this.request)
    this.show(null)
    cancelAnimationFrame(this.request)
  }

  show(frame) { // or null, and the stage is empty
    const empty = !this.frame
    this.frame = frame
    this.layers = {}
    if (!frame || !this.box.holds(frame.width, frame.height)) this.drag = null // it took hold of what is gone
    if (frame && (empty || !this.box.holds(frame.width, frame.height))) {
      if (!this.box.holds(frame.width, frame.height)) this.box.take(frame.width, frame.height)
      this.resize()
    }
    this.repaint()
  }

  // Masks change with the classes and the palette; opacity, curtain and zoom only place them anew, which is `draw`.
  repaint() {
    const { frame, layers, state } = this
    if (frame) {
      const { width: w, height: h } = frame
      for (const name of LAYERS[seen(state)]) {
        const color = painter(name, frame, this.meta, state)
        if (color) layers[name] = paint(layers[name], w, h, color)
        else delete layers[name] // what it says is not there, or on its way
      }
      if (isGrey(seen(state))) layers.grey ??= grey(frame.photo, w, h)
    }
    this.moved()
    this.draw()
  }

  draw() { this.request ||= requestAnimationFrame(() => { this.request = 0; this.drawNow() }) }
  drawNow() {
    const { frame, box } = this, g = this.e.canvas.getContext('2d')
    g.setTransform(1, 0, 0, 1, 0, 0)
    g.clearRect(0, 0, this.e.canvas.width, this.e.canvas.height)
    this.placeCurtain()
    if (!frame) return
    const scale = box.scale * box.dpr
    g.setTransform(scale, 0, 0, scale, box.x * box.dpr, box.y * box.dpr)
    g.imageSmoothingEnabled = scale < 4 // near enough to count pixels, show pixels
    this.compose(g)
  }
  compose(g) { // photograph and layers, a pixel of the mask for a unit
    const { frame, layers, state } = this, view = seen(state), { width: w, height: h } = frame
    g.globalAlpha = 1
    g.drawImage(isGrey(view) ? layers.grey : frame.photo, 0, 0, w, h)
    g.imageSmoothingEnabled = false // a mean of Road and Sky is not a class
    g.globalAlpha = !state.shown ? 0 : view === 'lit' ? (1 + state.opacity) / 2 : state.opacity // few pixels: never faint
    const cut = view === 'curtain' ? state.curtain * w : w // the first layer left of it, the second right
    LAYERS[view].forEach((name, k) => {
      if (!layers[name]) return
      g.save()
      g.beginPath()
      g.rect(k ? cut : 0, 0, k ? w - cut : cut, h)
      g.clip()
      g.drawImage(layers[name], 0, 0)
      g.restore()
    })
  }
  placeCurtain() {
    const { e, box, frame, state } = this, on = seen(state) === 'curtain' && !!frame
    e.curtain.hidden = e.left.hidden = e.right.hidden = !on
    if (!on) return
    e.curtain.style.transform = `translateX(${box.x + state.curtain * frame.width * box.scale}px)`
    setAttr(e.curtain, 'aria-valuenow', Math.round(100 * state.curtain))
  }

  picture(lines, legend) { // what is seen, at the frame's own size, and below it some lines and a legend
    const { frame: { width: w, height: h }, state } = this, wide = Math.max(w, 360), size = clamp(Math.round(wide / 55), 12, 26), line = 1.6 * size
    const g = canvas(wide, h).getContext('2d'), font = `${size}px system-ui, sans-serif`
    g.font = font
    const text = lines.flatMap(o => wrap(o.split(' '), wide - size, word => g.measureText(word + ' ').width).map(words => words.join(' ')))
    const shelf = wrap(legend, wide - size, ([, word]) => g.measureText(word).width + 2.4 * size)
    g.canvas.height = Math.ceil(h + (text.length + shelf.length) * line + size) // and all settings are lost
    Object.assign(g, { fillStyle: '#fff', font, textBaseline: 'middle' })
    g.fillRect(0, 0, wide, g.canvas.height)
    this.compose(g)
    g.globalAlpha = 1
    if (seen(state) === 'curtain') Object.assign(g, { fillStyle: '#fff' }).fillRect(Math.round(state.curtain * w) - 1, 0, 2, h)
    g.fillStyle = '#1d2126'
    text.forEach((words, k) => g.fillText(words, size / 2, h + size / 2 + (k + .5) * line))
    shelf.forEach((items, row) => {
      let x = size / 2
      const y = Math.round(h + size / 2 + (text.length + row + .5) * line)
      for (const [color, word] of items) {
        g.fillStyle = color
        g.fillRect(x, y - size / 2, size, size)
        Object.assign(g, { fillStyle: '#1d2126', strokeStyle: '#80808099' }).strokeRect(x + .5, y - size / 2 + .5, size - 1, size - 1)
        g.fillText(word, x + 1.4 * size, y)
        x += g.measureText(word).width + 2.4 * size
      }
    })
    return g.canvas
  }
  full() { const { root } = this.e, top = root.getRootNode(); return top.fullscreenElement === root }
  room(root) { return this.full() ? window.innerHeight : this.height || roomAround(root) } // how high the viewer may be
  spare() { // what is left of that; in fullscreen the viewer is as high as the screen, whatever is in it
    const { e } = this, last = e.strip.hidden ? e.main : e.strip
    return this.room(e.root) - (this.full() ? last.offsetTop + last.offsetHeight + 12 : e.root.offsetHeight)
  }
  resize() {
    const { e, box } = this, wide = e.stage.clientWidth, dpr = window.devicePixelRatio || 1
    if (!wide) return
    const rest = e.main.offsetHeight - e.side.offsetHeight + e.stage.offsetHeight // without it: toolbars, read-out, thumbnails
    const room = clamp(this.spare() + rest, 160, this.full() ? Infinity : this.height || 620)
    box.stage(wide, room)
    e.stage.style.height = box.high + 'px'
    const end = e.side.offsetTop + e.side.offsetHeight // the classes end where the frame and what is told of it do
    for (const list of [e.list, e.matrix]) list.style.maxHeight = `${Math.max(end - list.offsetTop, 190)}px`
    e.canvas.width = Math.round(wide * dpr)
    e.canvas.height = Math.round(box.high * dpr)
    box.dpr = e.canvas.width / wide
    this.placed()
  }
  placed() { // the box has changed
    const { e, box } = this
    setText(e.zoom, box.scale < 10 ? box.scale.toFixed(1) + '×' : Math.round(box.scale) + '×')
    e.canvas.classList.toggle('pv-grab', box.held)
    this.moved()
    this.draw()
  }
  zoom(by, x, y) { this.box.zoom(by, x, y); this.placed() }

  point(event) { // where on the stage
    const r = this.e.canvas.getBoundingClientRect()
    return { x: event.clientX - r.left, y: event.clientY - r.top }
  }
  pixel() { // looked at: of the frame now on the stage, whatever was there when the pointer came
    const { at, box } = this
    return at && this.frame && ('px' in at ? box.inside(at) : box.pixel(at.x, at.y))
  }
  probe(dx, dy) { // the pixel beside it; first, the one in the middle
    if (!this.frame) return
    const { width: w, height: h } = this.frame, { px, py } = this.pixel() ?? this.middle()
    this.at = { px: clamp(px + dx, 0, w - 1), py: clamp(py + dy, 0, h - 1) }
    this.box.reveal(this.at)
    this.placed()
  }
  middle() { // of what is in sight
    const { box } = this
    return box.pixel(box.wide / 2, box.high / 2) ?? { px: Math.floor(box.width / 2), py: Math.floor(box.height / 2) }
  }
  stride(dx, dy) { // a twentieth of what is in sight
    const { box } = this, step = room => Math.max(1, Math.round(room / box.scale / 20))
    this.probe(dx * step(box.wide), dy * step(box.high))
  }
  classAt() { // the class that is seen at the pixel looked at
    const at = this.pixel()
    return at && classSeen(this.frame, at, { ...this.state, view: seen(this.state) })
  }
  pull(event) { if (this.frame) this.slide(this.box.share(this.point(event).x)) }

  listen(canvas, curtain) {
    const { box } = this
    canvas.addEventListener('pointerdown', event => {
      if (event.button || !this.frame) return
      canvas.setPointerCapture(event.pointerId)
      this.drag = { x: event.clientX - box.x, y: event.clientY - box.y, pan: box.held }
      if (!box.held && seen(this.state) === 'curtain') this.pull(event)
    })
    canvas.addEventListener('pointermove', event => {
      this.at = this.point(event)
      if (this.drag?.pan) { box.pan(event.clientX - this.drag.x, event.clientY - this.drag.y); this.placed() }
      else if (this.drag && seen(this.state) === 'curtain') this.pull(event)
      this.moved()
    })
    canvas.addEventListener('pointerleave', () => { this.at = null; this.moved() })
    for (const type of ['pointerup', 'pointercancel']) canvas.addEventListener(type, () => { this.drag = null })
    canvas.addEventListener('dblclick', event => { const { x, y } = this.point(event); this.zoom(box.held ? 0 : 3, x, y) })
    canvas.addEventListener('wheel', event => { // a bare wheel scrolls the page, unless the reader is already inside the frame
      if (!this.frame || !(event.ctrlKey || event.metaKey || box.held)) return
      event.preventDefault()
      const { x, y } = this.point(event)
      this.zoom(Math.exp(-clamp(event.deltaY, -60, 60) / 150), x, y)
    }, { passive: false })
    curtain.addEventListener('pointerdown', event => { curtain.setPointerCapture(event.pointerId); event.preventDefault(); curtain.focus() })
    curtain.addEventListener('pointermove', event => { if (curtain.hasPointerCapture(event.pointerId)) this.pull(event) })
  }
}

// --------------------------------------------------------------------------- 8 Readout, Filmstrip, Keys, Panel

// The class that a view shows at a pixel.
export function classSeen(frame, { px, py }, { view, curtain, other = null }) {
  const right = view === 'curtain' && px + .5 >= curtain * frame.width ? rightOf(frame, other) : view === 'truth' && frame.truth
  return (right || frame.pred)[py * frame.width + px]
}

// Things in lines of so much room; what is wider than a line has one of its own.
export function wrap(things, room, width) {
  const lines = []
  let left = -1
  for (const o of things) {
    if (width(o) > left) { lines.push([]); left = room }
    lines.at(-1).push(o)
    left -= width(o)
  }
  return lines
}

// What the colours of a view mean: [colour, word] each. Of classes those that are on and that the masks shown have, largest first.
export function legendOf(frame, state, meta) {
  const view = seen(state), { names, colors } = meta[view] ?? {}
  if (view === 'errors') return names.map((word, k) => [css(colors[k]), word])
  if (view === 'changes') return (meta.truth ? [0, 1, 2] : [3]).map(k => [css(colors[k]), names[k]])
  if (view === 'lit') return [[css(LIT), pairName(state.pair, meta.labels)]]
  if (view === 'confidence') return [[255, 'unsure'], [128, 'half sure'], [0, 'sure']].map(([k, word]) => [css(meta.heat[k]), word])
  const masks = { truth: [frame.truth], curtain: [frame.pred, rightOf(frame, state.other)] }[view] ?? [frame.pred], sum = new Float64Array(256)
  for (const mask of masks) if (mask) shares(mask).forEach((share, id) => { sum[id] += share })
  return [...meta.labels.keys()].filter(id => sum[id] && !state.off.has(id)).sort((a, b) => sum[b] - sum[a])
    .map(id => [css(meta.palettes[state.palette][id]), meta.labels[id]])
}

// A pixel in words: [how it looks, text, more] each.
export function readOut(frame, { px, py }, meta, palette) {
  const p = py * frame.width + px, k = meta.sizes[frame.index][2], pred = frame.pred[p], truth = frame.truth?.[p]
  const chip = (word, id) => ['chip', word, meta.labels[id], css(meta.palettes[palette][id])]
  if (!meta.views.includes('prediction')) return [chip('truth', truth ?? pred), ['pv-dim pv-end', `x ${px * k}, y ${py * k}`]]
  const words = [chip('predicted', pred)]
  if (truth != null) words.push(chip('truth', truth), truth === meta.void ? ['pv-dim', 'not judged']
    : pred === truth ? ['pv-ok', '✓ right'] : ['pv-bad', '✗ wrong'])
  if (frame.other) words.push(chip(frame.otherName, frame.other[p]))
  if (frame.conf) words.push(['number', 'confidence ', percent(frame.conf[p] / 255)])
  return [...words, ['pv-dim pv-end', `x ${px * k}, y ${py * k}`]]
}

// The pixel looked at, in words. It is written anew whenever the stage says that another may lie there.
class Readout {
  /** @param {ReturnType<typeof build>} e @param {Stage} stage */
  constructor(e, meta, state, stage) {
    this.e = e
    this.meta = meta
    this.state = state
    this.stage = stage
    this.said = ''
    stage.moved = () => this.refresh()
  }
  refresh() {
    const { e, stage } = this, at = stage.pixel(), words = at ? readOut(stage.frame, at, this.meta, this.state.palette) : []
    const said = JSON.stringify(words)
    if (said === this.said) return
    this.said = said
    setAttr(e.read, 'aria-live', at && at === stage.at ? 'polite' : 'off') // a moving mouse would never let a screen reader finish
    const dim = text => make('span', { class: 'pv-dim' }, text)
    e.read.replaceChildren(...words.map(([kind, text, more, color]) =>
      kind === 'chip' ? make('span', { class: 'pv-chip' }, dim(text), make('span', { class: 'pv-swatch', style: `background:${color}` }), more)
        : kind === 'number' ? make('span', {}, dim(text), more) : make('span', { class: kind }, text)))
  }
}

const THUMB = 92 // the room of a thumbnail in the strip
const GRID = [176, 156] // and in the grid, with its name, at least

// The first and the last thumbnail in sight. In a grid so many stand in a row, `size` high.
export const inSight = (scrolled, shelf, n, size = THUMB, columns = 1) => {
  const first = Math.floor(scrolled / size)
  return [first * columns, Math.min(n - 1, (first + Math.ceil(shelf / size) + 1) * columns - 1)]
}

// How far to scroll so that the thumbnail at a place is in sight: not at all if it is.
export const scrolledTo = (place, scrolled, shelf, size = THUMB, columns = 1) => {
  const row = Math.floor(place / columns)
  return row * size < scrolled || (row + 1) * size > scrolled + shelf ? (row + .5) * size - shelf / 2 : scrolled
}

// The strip, or the grid that it becomes, draws only the thumbnails in sight, so ten thousand cost no more than ten.
class Filmstrip {
  /** @param {ReturnType<typeof build>} e @param {Store} store @param {Ranking} ranking */
  constructor(e, meta, state, store, ranking, pick, spare) {
    this.spare = spare       // how much higher the viewer may be
    this.columns = 1
    this.entered = false     // the grid has just opened: its frame is to have the focus
    this.e = e
    this.meta = meta
    this.state = state
    this.store = store
    this.ranking = ranking
    this.pick = pick
    this.thumbs = new Map() // frame -> button
    this.request = this.shelf = 0 // the strip's width
    e.strip.hidden = meta.names.length < 2
    e.strip.addEventListener('scroll', () => this.draw())
    this.watch = new ResizeObserver(() => this.draw())
    this.watch.observe(e.strip)
  }
  close() {
    this.watch.disconnect()
    cancelAnimationFrame(this.request)
    this.clear()
  }
  clear() {
    this.thumbs.clear()
    this.e.film.replaceChildren()
  }
  follow() { // the frame that the reader went to
    const { e: { strip }, state: { grid, index } } = this, place = this.ranking.place.get(index), [along, size] = this.lay()
    if (place != null) {
      const to = scrolledTo(place, strip[along], grid ? strip.clientHeight : this.width(), size, this.columns)
      if (to !== strip[along]) strip[along] = to
    }
    this.draw()
  }
  lay() { // room for all thumbnails; which way one scrolls through them, and how far it is from one row to the next
    const { e, state: { grid }, ranking: { order } } = this, n = order.length
    this.columns = grid ? Math.max(1, Math.floor(this.width() / GRID[0])) : 1
    const high = Math.ceil(n / this.columns) * GRID[1]
    e.film.style.width = grid ? '' : `${n * THUMB}px`
    e.film.style.height = grid ? `${high}px` : ''
    e.strip.style.height = grid ? `${clamp(this.spare() + e.strip.offsetHeight, 170, Math.max(high, 170))}px` : ''
    return grid ? ['scrollTop', GRID[1]] : ['scrollLeft', THUMB]
  }
  width() { return this.shelf = this.e.strip.clientWidth || this.shelf }
  draw() { this.request ||= requestAnimationFrame(() => { this.request = 0; this.drawNow() }) }
  drawNow() {
    const { e, state, store, ranking, thumbs } = this, [along, size] = this.lay(), { grid } = state, { columns } = this
    const [first, last] = inSight(e.strip[along], grid ? e.strip.clientHeight : this.width(), ranking.order.length, size, columns)
    const there = ranking.order.slice(first, last + 1), score = scoreOf(state.order) ?? 'IoU', focused = this.entered || e.strip.contains(e.root.getRootNode().activeElement)
    if (grid && ranking.place.has(state.index) && !there.includes(state.index)) there.push(state.index) // it has the focus, which must not get lost
    for (const [i, b] of thumbs) if (!there.includes(i)) { b.remove(); thumbs.delete(i) }
    for (const i of there) {
      const b = thumbs.get(i) ?? this.add(i), v = ranking.cell(i, score), k = ranking.place.get(i)
      b.style.transform = grid ? `translate(${k % columns * Math.floor(this.width() / columns)}px, ${Math.floor(k / columns) * GRID[1]}px)` : `translateX(${k * THUMB}px)`
      setAttr(b, 'aria-current', i === state.index)
      b.tabIndex = grid && i === state.index ? 0 : -1
      b.classList.toggle('pv-flagged', state.flagged.has(i))
      setText(b.lastChild, isFinite(v) ? v.toFixed(2) : '')
      this.paint(b, i)
    }
    if (grid && focused) thumbs.get(state.index)?.focus({ preventScroll: true })
    this.entered = false
    const photos = there.filter(i => !store.has(`photo/${i}`)).map(i => `thumb/${i}`)
    store.want('thumbs', [...photos, ...(grid ? there.map(i => `pred/${state.step}/${i}`) : [])]) // a grid is there to see masks
  }
  add(i) {
    const name = this.meta.names[i], b = make('button', { type: 'button', class: 'pv-thumb', tabindex: -1, title: name,
      'aria-label': name, 'data-name': name, onclick: () => this.pick(i) },
    make('canvas', this.state.grid ? { width: 164, height: 123 } : { width: 80, height: 60 }), make('span', {}))
    this.thumbs.set(i, b)
    this.e.film.append(b)
    return b
  }
  async paint(b, i) {
    const { meta, state, store } = this, key = `pred/${state.step}/${i}`
    const photo = store.get(`photo/${i}`) ?? store.get(`thumb/${i}`), pred = photo && store.get(key)
    const what = photo ? `${pred ? key : 'photo'} ${state.palette}` : ''
    if (!photo || b.dataset.what === what) return
    b.dataset.what = what
    const g = b.firstChild.getContext('2d'), { width, height } = g.canvas, [h, w] = meta.sizes[i], k = Math.min(width / w, height / h)
    const x = (width - k * w) / 2, y = (height - k * h) / 2, colors = lookup(meta.palettes[state.palette])
    // What cannot be decoded is said on the stage, once somebody goes there.
    const [bitmap, mask] = await Promise.all([decodePhoto(photo), pred && inflate(pred)].map(o => Promise.resolve(o).catch(() => null)))
    if (b.dataset.what === what) { // no later step has overtaken this one
      g.clearRect(0, 0, width, height)
      g.globalAlpha = 1
      if (bitmap) g.drawImage(bitmap, x, y, k * w, k * h)
      g.globalAlpha = .5
      if (mask) g.drawImage(paint(null, w, h, p => colors[mask[p]]), x, y, k * w, k * h)
    }
    bitmap?.close()
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
const KEYS = { ArrowLeft: ['go', -1], ArrowRight: ['go', 1], PageUp: ['go', -1], PageDown: ['go', 1], Home: ['go', -Infinity], End: ['go', Infinity],
  ' ': ['mask'], m: ['mask'], '[': ['fade', -.1], ']': ['fade', .1], s: ['only'], f: ['flag'], a: ['overview'], g: ['grid'], p: ['save'], w: ['fullscreen'], '/': ['filter'], '?': ['help'], Escape: ['leave'],
  '+': ['zoom', 1.5], '=': ['zoom', 1.5], '-': ['zoom', 1 / 1.5], 0: ['zoom', 0] }
const SLIDES = /^(Arrow|Page|Home|End)/ // the keys of a slider

// What a key means on what has the focus ('canvas', 'zoomed' for a canvas that is zoomed in, 'curtain', 'button', 'class',
// 'cell' of the confusions, 'thumb' of the grid, 'range' for a slider, 'input' for what takes text or has a list, or anything else): [name of an action, ...].
export function action(key, shift, on, views) {
  const arrow = ARROWS[key], view = views[Number(key) - 1], canvas = on === 'canvas' || on === 'zoomed'
  if (on === 'input' || (['button', 'class', 'cell', 'thumb'].includes(on) && key === ' ') || (on === 'range' && SLIDES.test(key))) return null // theirs
  if (on === 'cell' && (arrow || key === 'Home' || key === 'End')) return ['cross', ...(arrow ?? [key === 'Home' ? -Infinity : Infinity, 0])]
  if (on === 'thumb' && arrow?.[1]) return ['row', arrow[1]]
  if (on === 'curtain' && arrow?.[0]) return ['draw', .02 * arrow[0]]
  if (on === 'class' && arrow?.[1]) return ['walk', arrow[1]]
  if (on === 'class' && (key === 'Home' || key === 'End')) return ['walk', key === 'Home' ? -Infinity : Infinity]
  if (canvas && shift && arrow) return ['probe', ...arrow]
  if (on === 'zoomed' && arrow) return ['stride', ...arrow]
  if (view) return ['look', view]
  return KEYS[key] ?? KEYS[key.toLowerCase()] ?? null
}

class Keys {
  /** @param {ReturnType<typeof build>} e @param {Stage} stage */
  constructor(e, act, stage) {
    const of = target => target === e.canvas ? (stage.box.held ? 'zoomed' : 'canvas') : target === e.curtain ? 'curtain'
      : target.matches('input[type=range]') ? 'range' : target.matches('input, select') ? 'input'
      : target.matches('.pv-cell') ? 'cell' : target.matches('.pv-grid .pv-thumb') ? 'thumb' : target.matches('.pv-class') ? 'class' : target.matches('button') ? 'button' : ''
    e.root.addEventListener('keydown', event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const [name, ...more] = action(event.key, event.shiftKey, of(event.target), act.views()) ?? []
      if (name) { act[name](...more); event.preventDefault() }
      event.stopPropagation() // the classic notebook listens further up
    })
    // Whoever lets go of a slider with the mouse is done with it: the next arrow means a frame, not a hundredth of opacity.
    for (const control of [e.opacity, e.step, e.order, e.against]) {
      let pressed = false
      control.addEventListener('pointerdown', () => { pressed = true })
      control.addEventListener('keydown', () => { pressed = false })
      control.addEventListener('change', () => { if (pressed) e.canvas.focus({ preventScroll: true }); pressed = false })
    }
  }
}

// A frame in words: its name, the view, and the largest classes.
export function describe(name, view, share, labels, most = 4) {
  const large = [...labels.keys()].filter(id => share?.[id] >= .005).sort((a, b) => share[b] - share[a]).slice(0, most)
  return `${name}, ${view}` + (large.length ? ': ' + large.map(id => `${labels[id]} ${percent(share[id])}`).join(', ') : '')
}

// Words, numbers and pressed buttons around the picture.
class Panel {
  /** @param {ReturnType<typeof build>} e @param {Ranking} ranking */
  constructor(e, meta, state, ranking) {
    this.e = e
    this.meta = meta
    this.state = state
    this.ranking = ranking
    this.counts = null // of this step, if they are known
    this.notes = { frame: '', scores: '' } // what there is to say of either; the frame goes first
  }
  note(about, text, wrong = false) {
    const { e, notes } = this
    notes[about] = text
    if (about === 'frame') e.note.classList.toggle('pv-wrong', wrong)
    setText(e.note, notes.frame || notes.scores)
  }
  controls(steps, playing) { // bring every control in line with the state
    const { e, state, ranking } = this, k = ranking.place.get(state.index)
    const views = viewsOf(this.meta, steps.length)
    for (const [view, b] of Object.entries(e.views)) {
      setAttr(b, 'aria-pressed', seen(state) === view)
      setAttr(b, 'title', `${TITLES[view]} (${views.indexOf(view) + 1})`)
      b.hidden = !views.includes(view)
    }
    this.compared(steps)
    setAttr(e.mask, 'aria-pressed', state.shown)
    setAttr(e.palette, 'aria-pressed', state.palette === 'colorblind')
    setAttr(e.help, 'aria-expanded', !e.keys.hidden)
    if (+e.opacity.value !== state.opacity) e.opacity.value = state.opacity
    setText(e.percent, percent(state.shown ? state.opacity : 0))
    setText(e.sought, state.pair < 0 ? '' : pairName(state.pair, this.meta.labels))
    if (e.order.value !== (state.pair < 0 ? state.order : '')) e.order.value = state.pair < 0 ? state.order : ''
    setAttr(e.prev, 'aria-disabled', k === 0 || !ranking.order.length) // not `disabled`, which drops the focus
    setAttr(e.next, 'aria-disabled', k === ranking.order.length - 1 || !ranking.order.length)
    setAttr(e.open, 'aria-expanded', state.open)
    setAttr(e.gridded, 'aria-pressed', state.grid)
    e.root.classList.toggle('pv-grid', state.grid)
    e.main.hidden = e.bar.hidden = state.grid
    e.whole.hidden = !state.open
    e.classes.hidden = state.open
    this.sieved()
    setAttr(e.flag, 'aria-pressed', state.flagged.has(state.index))
    e.steps.hidden = steps.length < 2
    e.step.max = String(steps.length - 1)
    e.step.value = state.step
    setText(e.stepName, `${steps[state.step] || state.step + 1}`)
    setText(e.play, playing ? '❚❚' : '▸')
    e.rows.forEach(({ toggle, solo }, id) => {
      setAttr(toggle, 'aria-pressed', !state.off.has(id))
      setAttr(solo, 'aria-pressed', isAlone(state.off, id, this.meta.labels.length))
    })
  }
  compared(steps) { // which step is set beside which
    const { e, state, meta } = this, name = s => steps[s] || `step ${s + 1}`, between = ['curtain', 'changes'].includes(state.view)
    const left = state.other == null ? 'prediction' : name(state.step), right = state.other == null ? 'truth' : name(state.other)
    e.compare.hidden = !between || steps.length < 2
    const none = state.view === 'curtain' && meta.truth ? 'truth' : 'the step before'
    const options = [none, ...steps.map((_, s) => name(s))]
    if ([...e.against.options].map(o => o.text).join('\n') !== options.join('\n'))
      e.against.replaceChildren(...options.map((text, k) => make('option', { value: k - 1 }, text)))
    e.against.value = String(state.against)
    setText(e.left, left)
    setText(e.right, right)
    setAttr(e.curtain, 'aria-label', `Curtain: ${left} left, ${right} right`)
    this.between = state.other === state.step ? `${name(state.step)} beside itself: choose another` : `${right} → ${left}`
  }
  sieved() { // what the filter leaves
    const { e, state, ranking } = this, all = this.meta.names.length, n = ranking.order.length
    const asked = state.name.trim() || state.present >= 0 || state.marked, unknown = Number.isNaN(state.present)
    setAttr(e.filter, 'aria-expanded', !e.sieve.hidden)
    setText(e.filter, asked ? `Filter: ${n} of ${all}` : 'Filter')
    setAttr(e.marked, 'aria-pressed', state.marked)
    setAttr(e.byClass, 'aria-invalid', unknown)
    setText(e.remain, (unknown ? `no class, or several, with “${e.byClass.value}” in the name. ` : '')
      + (asked && !n ? 'No frame is left; the last one stays.' : `${n} of ${all} frames`))
  }
  caption(frame) {
    const { e, meta, state, ranking } = this, { labels, columns } = meta, i = state.index
    setText(e.name, meta.names[i])
    e.name.title = meta.names[i]
    setText(e.place, ranking.at(i))
    const scores = columns.filter(c => !labels.includes(c) || c === scoreOf(state.order)).map(c => [titleOf(c, meta), ranking.cell(i, c)])
    setText(e.score, scores.filter(([, v]) => v < Infinity).map(([c, v]) => `${c} ${v.toFixed(3)}`).join('   '))
    const wished = frame?.index === i && frame.step === state.step
    const share = wished ? frame.shares[state.view === 'truth' ? 'truth' : 'pred'] : null, most = share ? Math.max(...share) : 1
    e.rows.forEach((r, id) => {
      r.swatch.style.background = css(meta.palettes[state.palette][id])
      r.row.classList.toggle('pv-absent', !share?.[id])
      setText(r.share, share ? percent(share[id], 1) : '')
      r.bar.style.width = share ? `${100 * share[id] / most}%` : 0
      const iou = ranking.cell(i, labels[id])
      setText(r.iou, isFinite(iou) ? iou.toFixed(2) : '')
    })
    const scored = columns.some(c => labels.includes(c))
    e.head.hidden = !scored
    e.root.classList.toggle('pv-unscored', !scored)
    setAttr(e.canvas, 'aria-label', describe(meta.names[i], state.pair < 0 ? state.view : pairName(state.pair, labels), share, labels))
    setText(e.live, `${meta.names[i]}, ${ranking.at(i)}${state.flagged.has(i) ? ', flagged' : ''}${state.pair < 0 ? '' : '. ' + this.lit()}`)
    if (state.pair >= 0) this.legend()
  }
  lit() { // what is said of the pixels that are lit
    const { meta: { labels, sizes }, state: { pair, index }, counts } = this, k = sizes[index][2], n = labels.length
    if (!counts || counts.sizes[index] < 0) return `${pairName(pair, labels)}: not counted`
    const all = counts.total(), row = Math.floor(pair / n), whole = all.slice(row * n, row * n + n).reduce((a, b) => a + b, 0)
    return `${pairName(pair, labels)}: ${counts.at(index, pair)} pixels in this frame, ${all[pair]} in ${counts.having(pair)} frames, `
      + `${percent(all[pair] / whole, 1)} of all ${labels[row]}${k > 1 ? `; one pixel of ${k * k} is drawn` : ''}`
  }
  legend() { // what the colours mean where they are not those of the classes
    const { e, meta, state } = this, view = seen(state)
    const swatch = (color, word) => [make('span', { class: 'pv-swatch', style: `background:${color}` }), word]
    e.legend.replaceChildren()
    if (view === 'lit') e.legend.append(...swatch(css(LIT), this.lit()))
    if (view === 'errors' || view === 'changes') for (const o of legendOf(null, state, meta)) e.legend.append(...swatch(...o))
    if (view === 'changes') e.legend.append(make('span', {}, `(${this.between})`))
    if (view === 'confidence') e.legend.append('unsure', make('span', { class: 'pv-ramp',
      style: `background:linear-gradient(90deg, ${[255, 192, 128, 64, 0].map(k => css(meta.heat[k])).join(',')})` }), 'sure')
    e.legend.hidden = !e.legend.childNodes.length
  }
}

// The set as a whole: its scores, and which class is taken for which, every cell a way to the frames where that happens.
class Overview {
  /** @param {ReturnType<typeof build>} e */
  constructor(e, meta, state, choose) {
    this.e = e
    this.meta = meta
    this.state = state
    this.choose = choose
    this.by = 'share' // what a list of confusions is sorted by
    this.cells = [] // rows of buttons, as the arrow keys go
  }
  draw(counts) {
    const { e, meta: { labels, void: void_ }, state } = this, n = labels.length
    this.counts = counts
    if (!state.open || (!counts && this.cells.length)) return // what is there stays while the next is unpacked
    if (!counts?.counted) {
      e.sums.replaceChildren(counts && !counts.waiting ? 'no frame could be counted' : 'counting …')
      return e.matrix.replaceChildren()
    }
    const focused = e.matrix.contains(e.root.getRootNode().activeElement)
    const table = counts.total(), sums = totals(table, n, void_), there = [...labels.keys()].filter(id => sums.rows[id] || sums.columns[id])
    const strong = (name, x) => [`${name} `, make('b', {}, isFinite(x) ? x.toFixed(3) : '–')]
    const frames = counts.counted < counts.frames ? `${counts.counted} of ${counts.frames} frames` : `${counts.frames} frames`
    e.sums.replaceChildren(make('span', {}, ...strong('mean IoU', sums.meanIoU)), make('span', {}, ...strong('accuracy', sums.accuracy)),
      make('span', { class: 'pv-dim' }, `${sums.pixels.toLocaleString('en')} pixels of ${frames}`))
    this.cells = []
    e.matrix.replaceChildren(...(there.length > MANY ? this.list(table, n, sums, there) : this.table(table, n, sums, there)))
    this.rove(this.cells.flat().find(b => +b.dataset.pair === state.pair) ?? this.cells[0]?.[0])
    this.mark()
    if (focused) this.cross(0, 0)
  }
  cell(pair, pixels, share, attributes, ...content) {
    const { labels } = this.meta, label = `${pairName(pair, labels)}: ${percent(share, 1)}, ${pixels} pixels`
    return make('button', { type: 'button', class: 'pv-cell', title: label, 'aria-label': label, tabindex: -1, 'data-pair': pair,
      'aria-disabled': pixels ? null : 'true', style: `--share:${Math.sqrt(share) || 0}`,
      onclick: () => { if (pixels) this.choose(pair) }, onfocus: event => this.rove(event.currentTarget), ...attributes }, ...content)
  }
  swatch(id) { return make('span', { class: 'pv-swatch', style: `background:${css(this.meta.palettes[this.state.palette][id])}` }) }
  table(table, n, { rows, iou }, there) {
    const { meta: { labels, void: void_ } } = this, number = id => isFinite(iou[id]) ? iou[id].toFixed(2) : '–',
      gone = labels.filter((_, id) => id !== void_ && !there.includes(id))
    const head = make('tr', {}, make('td', {}), make('th', { scope: 'col', class: 'pv-iou' }, 'IoU'),
      ...there.map(id => make('th', { scope: 'col', title: `predicted ${labels[id]}` }, make('span', { class: 'pv-upright' }, labels[id]), this.swatch(id))))
    const lines = there.filter(id => id !== void_).map(t => {
      const cells = there.map(p => this.cell(t * n + p, table[t * n + p], table[t * n + p] / rows[t], { class: 'pv-cell' + (t === p ? ' pv-right-one' : '') },
        table[t * n + p] / rows[t] >= .005 ? Math.round(100 * table[t * n + p] / rows[t]) : ''))
      this.cells.push(cells)
      return make('tr', { class: rows[t] ? '' : 'pv-absent' }, make('th', { scope: 'row', title: labels[t] }, make('span', { class: 'pv-rowname' }, this.swatch(t), nameOf(labels[t]))),
        make('td', { class: 'pv-iou' }, number(t)), ...cells.map(b => make('td', {}, b)))
    })
    return [make('table', { 'aria-label': 'Confusion matrix' }, make('thead', {}, head), make('tbody', {}, ...lines)),
      make('div', { class: 'pv-dim pv-hint' }, `Rows: true class, and where its pixels went, in percent. Choose a cell to see them.${gone.length ? ` Nowhere: ${gone.slice(0, 6).join(', ')}${gone.length > 6 ? ` and ${gone.length - 6} more` : ''}.` : ''}`)]
  }
  list(table, n, sums, there) {
    const { meta: { labels } } = this, other = this.by === 'share' ? 'pixels' : 'share'
    const items = confusions(table, n, sums, this.by).map(({ pair, pixels, share }) => {
      const t = Math.floor(pair / n), p = pair % n
      return this.cell(pair, pixels, share, { class: 'pv-cell pv-item' }, this.swatch(t), nameOf(labels[t]), '→', this.swatch(p), nameOf(labels[p]),
        make('span', { class: 'pv-number' }, percent(share, 1)), make('span', { class: 'pv-number' }, pixels.toLocaleString('en')))
    })
    this.cells = items.map(b => [b])
    const sorted = there.filter(id => isFinite(sums.iou[id])).sort((a, b) => sums.iou[a] - sums.iou[b])
    return [make('div', { class: 'pv-head' }, make('span', { class: 'pv-label' }, 'Largest confusions'),
      button(`by ${other}`, `Sort by ${other}`, () => { this.by = other; this.draw(this.counts) }, { class: 'pv-button pv-small' })), ...items,
      make('div', { class: 'pv-head' }, make('span', { class: 'pv-label' }, 'Classes, lowest IoU first')),
      ...sorted.map(id => make('div', { class: 'pv-item' }, this.swatch(id), nameOf(labels[id]), make('span', { class: 'pv-number' }, sums.iou[id].toFixed(2))))]
  }
  mark() { for (const b of this.cells.flat()) setAttr(b, 'aria-pressed', +b.dataset.pair === this.state.pair) }
  rove(cell) { for (const b of this.cells.flat()) b.tabIndex = b === cell ? 0 : -1 } // one stop for Tab
  cross(dx, dy) { // to the cell beside it
    const row = this.cells.findIndex(o => o.some(b => b.tabIndex === 0)), column = this.cells[row]?.findIndex(b => b.tabIndex === 0)
    if (row >= 0) this.cells[clamp(row + dy, 0, this.cells.length - 1)][clamp(column + dx, 0, this.cells[row].length - 1)].focus()
  }
}

// ------------------------------------------------------------------------------------------------------ 9 Viewer

export const isAlone = (off, id, n) => !off.has(id) && off.size === n - 1

// The classes that are off when only one is to be seen; all are on again if it is alone already.
export const soloed = (off, id, n) => new Set(isAlone(off, id, n) ? [] : [...Array(n).keys()].filter(k => k !== id))

const TO_PYTHON = ['index', 'order', 'step', 'flagged'] // where the reader is: told at once
// How he looks: told when pointer or focus leaves the viewer, and so before any cell that he runs. Looking itself sends nothing.
const ON_LEAVING = ['view', 'against', 'opacity', 'curtain', 'off', 'palette', 'shown']
const SETS = ['off', 'flagged'] // lists in Python
// What stays in the browser: pixels of which pair are lit (true * n + predicted, or -1), the step set beside, panel, grid, filter.
const ASIDE = { pair: -1, other: null, open: false, grid: false, name: '', present: -1, marked: false }
const VISITORS = new WeakMap() // how many views look at a model's frames

class Viewer {
  constructor(model, el) {
    this.model = model
    const meta = this.meta = model.get('_meta')
    const from = k => this.fromModel(k)
    this.state = { shown: from('shown'), index: from('index'), order: from('order'), step: from('step'), against: from('against'), view: from('view'), opacity: from('opacity'),
      curtain: from('curtain'), off: from('off'), palette: from('palette'), flagged: from('flagged'), ...ASIDE }
    this.ticket = this.timer = 0
    this.seek = false // somebody asked for the worst, and nobody knows yet which that is
    this.store = new Store(model, () => { this.show(); this.film.draw() })
    this.decoded = new Decoded(this.store)
    this.counted = new Map() // step -> its bytes, and what is counted in them
    this.ranking = new Ranking(meta.names, meta.columns)
    const e = this.e = build(meta, this)
    this.stage = new Stage(e, meta, this.state, curtain => this.set({ curtain }))
    this.readout = new Readout(e, meta, this.state, this.stage)
    this.film = new Filmstrip(e, meta, this.state, this.store, this.ranking, index => this.pick(index), () => this.stage.spare())
    this.panel = new Panel(e, meta, this.state, this.ranking)
    this.whole = new Overview(e, meta, this.state, pair => this.light(pair))
    new Keys(e, this, this.stage)
    this.stage.height = model.get('height') || 0
    this.hear()
    this.pack = model.get('_pack')
    VISITORS.set(this.pack, (VISITORS.get(this.pack) ?? 0) + 1)
    for (const p of this.packs()) this.store.take(p)
    this.still = make('style', {}, `.pv-still-${meta.key} { display: none }`) // the picture that stands here when nobody draws
    el.append(this.still, e.root)
    e.root.addEventListener('pointerleave', () => this.tell(ON_LEAVING))
    e.root.addEventListener('focusout', event => { if (!e.root.contains(event.relatedTarget)) this.tell(ON_LEAVING) })
    this.state.other = beside(this.state, meta.truth, this.steps().length)
    this.sort()
    this.controls()
    this.stage.resize()
    this.panel.legend()
    this.show()
    this.film.follow()
  }

  close() { // the cell was run again, or closed: leave nothing behind
    const { model, pack } = this
    this.ticket++
    clearInterval(this.timer)
    this.tell(ON_LEAVING)
    for (const [name, f] of Object.entries(this.heard)) model.off(name, f)
    this.stage.close()
    this.film.close()
    this.store.close()
    this.decoded.kept.clear()
    this.e.root.remove()
    this.still.remove()
    const left = VISITORS.get(pack) - 1
    VISITORS.set(pack, left)
    if (left) return
    // Nobody looks any more, but the model stays as long as its Python half. It need not hold megabytes meanwhile.
    for (const p of this.packs()) for (const k of Object.keys(p ?? {})) delete p[k]
    model.send({ type: 'freed' })
  }

  // ---- what changes what

  set(change) {
    const { state, model, film } = this, was = { ...state }
    Object.assign(state, change)
    state.other = beside(state, this.meta.truth, this.steps().length)
    const changed = (...names) => names.some(k => state[k] !== was[k])
    if (changed('order', 'step', 'pair', 'name', 'present', 'marked', 'open') || (changed('flagged') && state.marked)) this.sort()
    if (changed('index', 'order', 'step')) this.seek = false // he went elsewhere
    if (changed('open', 'step', 'palette')) this.whole.draw(this.panel.counts)
    if (changed('pair')) this.whole.mark()
    if (changed('index', 'step', 'other')) this.show()
    if (changed('index', 'step')) film.follow()
    if (changed('view', 'off', 'palette', 'pair', 'other')) this.repaint()
    else if (changed('opacity', 'curtain', 'shown')) this.stage.draw()
    if (changed('order', 'name', 'present', 'marked')) this.caption() // the place, and which scores are told
    this.controls()
    if (changed('palette', 'order', 'pair', 'name', 'present', 'marked', 'grid')) { film.clear(); film.follow() }
    if (changed('step', 'other') && state.view === 'changes') this.panel.legend()
    if (changed('flagged')) { this.caption(); film.draw() }
    this.tell(TO_PYTHON.filter(k => changed(k) && !(k === 'step' && this.follows())))
    if (changed('step') && this.follows() && model.get('step') !== -1) { model.set('step', -1); model.save_changes() }
  }
  tell(names) { // Python what it does not know yet, in one message
    const { model } = this, news = names.filter(k => !this.agrees(k))
    for (const k of news) model.set(k, this.toModel(k))
    if (news.length) model.save_changes()
  }
  repaint() {
    this.stage.repaint()
    this.panel.legend()
    this.caption()
  }
  caption() { this.panel.caption(this.stage.frame) }
  controls() { this.panel.controls(this.steps(), !!this.timer) }
  steps() { return this.model.get('steps') }
  views() { return viewsOf(this.meta, this.steps().length) }
  follows() { return this.state.step === this.steps().length - 1 } // at the last step one stays with the newest

  sort() {
    const { state, ranking, meta } = this, table = this.model.get('_tables')[state.step], counts = this.counts()
    const pixels = state.pair >= 0 && counts ? meta.names.map((_, i) => counts.sizes[i] < 0 ? -1 : counts.at(i, state.pair)) : null, most = pixels && (i => pixels[i])
    ranking.sort(state.order, table && asBytes(table), { most, left: sieve(state, meta.names, counts) })
    if (this.counting()) this.unpack()
    if (!(ranking.uncounted || (this.counting() && counts?.waiting))) return
    this.panel.note('scores', `scoring ${meta.names.length} frames …`) // before the kernel has a word to say
    this.model.send({ type: 'score', step: state.step })
  }
  counting() { const { open, pair, present } = this.state; return open || pair >= 0 || present >= 0 } // whether counts are needed
  counts() { return this.panel.counts = this.counted.get(this.state.step)?.counts ?? null }
  async unpack() { // what is counted at this step, if it is news
    const { state: { step }, meta, counted } = this, packed = this.model.get(`_counts${step}`)
    if (!packed?.byteLength || counted.get(step)?.packed === packed) return
    counted.set(step, { packed, counts: counted.get(step)?.counts })
    const flat = await inflate(asBytes(packed))
    if (counted.get(step)?.packed !== packed) return
    counted.set(step, { packed, counts: new Counts(new Int32Array(flat.buffer), meta.names.length, meta.labels.length) })
    if (step === this.state.step) this.recounted()
  }
  recounted() { // order, filter, panel and words as they are now known
    this.sort()
    if (this.state.present >= 0) this.settle()
    this.whole.draw(this.panel.counts)
    this.caption()
    this.film.draw()
    this.controls()
  }
  settle() { // on a frame that the filter leaves
    const { order, place } = this.ranking
    if (order.length && !place.has(this.state.index)) this.set({ index: order[0] })
  }

  // Bring the wished frame on the stage. Between asking and having, the reader may have wished something else: the ticket tells.
  async show() {
    const { meta, store, state: { index, step, other } } = this, mine = ++this.ticket
    const keysAt = i => [...keysOf(meta, step, i), ...(other == null || other === step ? [] : [`pred/${other}/${i}`])], keys = keysAt(index)
    store.want('frames', [...keys, ...this.ranking.around(index).flatMap(keysAt)])
    this.caption()
    const failed = keys.map(k => store.failed.get(k)).find(Boolean)
    if (failed) return this.fail(failed)
    if (!keys.every(k => store.has(k))) return this.panel.note('frame', 'waiting for the kernel to send this frame …')
    let got
    try { got = await Promise.all(keys.map(k => this.decoded.get(k))) }
    catch (error) { return mine === this.ticket ? this.fail(String(error)) : null }
    if (mine !== this.ticket) return
    const at = name => got[keys.findIndex(k => k.startsWith(name))] ?? null, [height, width] = meta.sizes[index]
    const frame = { index, step, width, height, photo: at('photo'), pred: at('pred'), truth: at('truth'), conf: at('conf'),
      other: other == null ? null : at(`pred/${other}/`), otherStep: other, otherName: other == null ? '' : this.steps()[other] || `step ${other + 1}` }
    frame.shares = { pred: frame.pred && shares(frame.pred), truth: frame.truth && shares(frame.truth) }
    this.panel.note('frame', '')
    this.stage.show(frame)
    this.caption()
  }
  fail(why) {
    this.panel.note('frame', why, true)
    this.stage.show(null)
  }

  // ---- what buttons and keys do

  go(by) { this.set({ index: this.ranking.from(this.state.index, by) }) }
  light(pair) { // the pixels of one kind, in the frame that has most of them; again, and it ends
    this.set({ pair: pair === this.state.pair ? -1 : pair })
    if (this.state.pair >= 0 && this.ranking.order.length) this.set({ index: this.ranking.order[0] })
  }
  overview(open = !this.state.open) {
    const { e } = this
    if (e.open.hidden) return
    if (e.whole.contains(e.root.getRootNode().activeElement)) e.open.focus() // it is about to go
    this.set({ open, pair: -1, grid: false })
    this.stage.resize()
  }
  cross(dx, dy) { this.whole.cross(dx, dy) }
  filter(open = this.e.sieve.hidden) { // closed, it goes on
    if (this.e.filter.hidden) return
    this.film.entered = false // the field gets the focus, not the grid that may have opened just now
    this.e.sieve.hidden = !open
    this.controls()
    this.stage.resize()
    if (open) this.e.byName.focus()
    else this.e.filter.focus()
  }
  sift(change) {
    this.set(change)
    this.settle()
  }
  unsift() {
    this.e.byName.value = this.e.byClass.value = ''
    this.sift({ name: '', present: -1, marked: false })
  }
  pick(index) { // a thumbnail
    const { grid } = this.state
    this.set({ index })
    if (grid) this.grid(false)
  }
  grid(on = !this.state.grid) {
    if (this.e.gridded.hidden) return
    this.film.entered = on
    this.set({ grid: on, pair: -1 })
    if (!on) { this.stage.resize(); this.e.canvas.focus({ preventScroll: true }) }
  }
  row(by) { this.go(by * this.film.columns) }
  async fullscreen() {
    const { root } = this.e
    try { await (this.stage.full() ? document.exitFullscreen() : root.requestFullscreen()) }
    catch { this.panel.note('scores', 'this page does not allow fullscreen') }
  }
  save() { // what is seen, as a file of the browser
    const { stage: { frame }, state, meta } = this, steps = this.steps(), view = seen(state)
    if (!frame) return this.panel.note('scores', 'there is no frame to save')
    const name = s => steps[s] || (steps.length > 1 ? `step ${s + 1}` : ''), of = frame.other ? `${name(frame.step)} | ${frame.otherName}` : name(frame.step)
    const lines = [[meta.names[frame.index], view === 'lit' ? this.panel.lit() : view === 'changes' ? this.panel.between : view, view === 'changes' ? '' : of].filter(Boolean).join(', ')]
    this.stage.picture(lines, legendOf(frame, state, meta)).toBlob(blob => {
      const href = URL.createObjectURL(blob), plain = meta.names[frame.index].replace(/\.\w+$/, '').replace(/[^\w.-]+/g, '_') || 'frame'
      make('a', { href, download: `${plain}-${view}.png` }).click()
      setTimeout(() => URL.revokeObjectURL(href), 10000)
    }, 'image/png')
  }
  leave() { // Escape: the innermost that is open
    const { e, state } = this
    if (this.stage.full()) return this.fullscreen()
    if (!e.keys.hidden) return this.help(false)
    if (state.grid) return this.grid(false)
    if (state.pair >= 0) return this.set({ pair: -1 })
    if (state.open) return this.overview(false)
    if (!e.sieve.hidden) this.filter(false)
  }
  arrange(order) { // whoever asks for the worst wants to see it: now, or when it is known, unless he goes elsewhere meanwhile
    this.set({ order, pair: -1 })
    this.seek = this.ranking.uncounted
    if (scoreOf(order) && !this.seek) this.set({ index: this.ranking.order[0] })
  }
  look(view) { this.set({ view, pair: -1 }) }
  mask() { this.set({ shown: !this.state.shown }) }
  fade(by) { this.set({ opacity: clamp(this.state.opacity + by, 0, 1) }) }
  draw(by) { this.set({ curtain: clamp(this.state.curtain + by, 0, 1) }) }
  zoom(by) { this.stage.zoom(by) }
  probe(dx, dy) { this.stage.probe(dx, dy) }
  stride(dx, dy) { this.stage.stride(dx, dy) }
  only() { // the class that has the focus, or that lies under the pointer
    const focused = this.e.root.getRootNode().activeElement?.closest('.pv-class')
    const id = focused && this.e.root.contains(focused) && !this.stage.at ? +focused.dataset.id : this.stage.classAt()
    if (id != null) this.solo(id)
  }
  flag() {
    const flagged = new Set(this.state.flagged), { index } = this.state
    if (!flagged.delete(index)) flagged.add(index)
    this.set({ flagged })
  }
  find(text) { // show the classes with these letters in their names
    const letters = text.trim().toLowerCase()
    this.e.rows.forEach(({ row }, id) => { row.hidden = !this.meta.labels[id].toLowerCase().includes(letters) })
    const first = this.e.rows.findIndex(({ row }) => !row.hidden)
    if (first >= 0) this.rove(first)
  }
  rove(id) { this.e.rows.forEach(({ toggle }, k) => { toggle.tabIndex = k === id ? 0 : -1 }) } // one stop for Tab in the whole list
  walk(by) { // through the list of classes
    const there = this.e.rows.filter(({ row }) => !row.hidden), k = there.findIndex(({ toggle }) => toggle.tabIndex === 0)
    there[clamp(k + by, 0, there.length - 1)]?.toggle.focus()
  }
  solo(id) { this.set({ off: soloed(this.state.off, id, this.meta.labels.length) }) }
  toggle(id) {
    const off = new Set(this.state.off)
    if (!off.delete(id)) off.add(id)
    this.set({ off })
  }
  play() {
    clearInterval(this.timer)
    this.timer = this.timer ? 0 : setInterval(() => this.set({ step: (this.state.step + 1) % this.steps().length }), 400)
    this.controls()
  }
  help(open = this.e.keys.hidden) { this.e.keys.hidden = !open; this.set({ grid: false }) }

  // ---- what Python sets, the view obeys

  agrees(k) { return JSON.stringify(this.toModel(k)) === JSON.stringify(this.toModel(k, this.fromModel(k))) }
  toModel(k, value = this.state[k]) {
    return !SETS.includes(k) ? value : [...value].sort((a, b) => a - b).map(o => k === 'off' ? this.meta.labels[o] : o)
  }
  fromModel(k) {
    const value = this.model.get(k) ?? (k === 'against' ? -1 : undefined) // a page of one photograph has no steps
    if (k === 'flagged') return new Set(value)
    return k === 'off' ? new Set(value.map(o => this.meta.labels.indexOf(o))) : k === 'step' && value < 0 ? this.steps().length + value : value
  }
  packs() { return [this.model.get('_pack'), ...this.steps().map((_, s) => this.model.get(`_step${s}`))] }
  hear() {
    const { model, state } = this
    this.heard = Object.fromEntries(Object.keys(state).filter(k => !(k in ASIDE)).map(k => [`change:${k}`, () => {
      if (!this.agrees(k)) this.set({ [k]: this.fromModel(k) })
    }]))
    this.heard['change:height'] = () => { this.stage.height = model.get('height'); this.stage.resize() }
    this.heard['change:steps'] = () => { // more predictions: take them, and go on to them if the reader is at the newest
      for (const p of this.packs().slice(1)) this.store.take(p)
      this.set(model.get('step') === -1 ? { step: this.steps().length - 1 } : {})
    }
    this.heard['change:_tables'] = () => {
      this.sort()
      if (this.seek) this.set({ index: this.ranking.order[0] })
      this.seek = false
      this.caption()
      this.film.draw()
      this.controls()
    }
    this.heard['msg:custom'] = message => {
      if (message.type !== 'scored') return
      this.panel.note('scores', message.done < this.meta.names.length
        ? `scoring ${message.done} of ${this.meta.names.length} …` : message.failed ?? '')
      if (message.done >= this.meta.names.length && this.counting()) this.unpack()
    }
    for (const [name, f] of Object.entries(this.heard)) model.on(name, f)
  }
}

function render({ model, el }) {
  let viewer = new Viewer(model, el)
  return () => { viewer?.close(); viewer = null } // notebooks keep old views, and with them this function: keep nothing through it
}

export default { render }
