// The mask editor: brush, polygon, region and superpixel, undo without end, wholly in the browser.
//
// Python sends a frame: the photograph, what is painted on it and what the model fills in. A stroke goes back as the
// rectangle that it changed, in runs of ids. Until the kernel has said that it arrived, it also lies in the browser's
// own storage; a page that opens anew sends it again. Undo and redo are strokes, too: they send what stood there before.
//
//   1  pixels: runs, brush, polygon, region, superpixel      3  Easel: what is drawn, and where the pointer is
//   2  History and Kept                                      4  Editor: tools, keys, the model
//
// What needs no browser is exported by name, and tested without one (tests/js).
import { asBytes, Box, button, clamp, css, decodePhoto, inflate, make, roomAround, setAttr, setText } from './viewer.js'

// ------------------------------------------------------------------------------------------------------ 1 pixels

// Ids as uint32 pairs of id and length, and back.
export function packRuns(ids) {
  const runs = []
  for (let p = 0, start = 0; p < ids.length; start = p) {
    while (p < ids.length && ids[p] === ids[start]) p++
    runs.push(ids[start], p - start)
  }
  return Uint32Array.from(runs)
}
export function unpackRuns(runs, length) {
  const ids = new Uint8Array(length)
  for (let k = 0, p = 0; k < runs.length; p += runs[k + 1], k += 2) ids.fill(runs[k], p, p + runs[k + 1])
  return ids
}

// The smallest rectangle [left, top, width, height] that holds all pixels in which two masks differ; null for none.
export function changed(before, after, width) {
  let left = Infinity, right = -1, top = -1, bottom = -1
  for (let p = 0; p < after.length; p++) if (before[p] !== after[p]) {
    const x = p % width
    if (top < 0) top = (p - x) / width
    bottom = (p - x) / width
    if (x < left) left = x
    if (x > right) right = x
  }
  return top < 0 ? null : [left, top, right - left + 1, bottom - top + 1]
}
export function cut(mask, width, [left, top, w, h]) {
  const out = new Uint8Array(w * h)
  for (let y = 0; y < h; y++) out.set(mask.subarray((top + y) * width + left, (top + y) * width + left + w), y * w)
  return out
}
export function put(mask, width, [left, top, w, h], ids) {
  for (let y = 0; y < h; y++) mask.set(ids.subarray(y * w, (y + 1) * w), (top + y) * width + left)
}

// Paint a line with a round brush of `size` pixels across, from a to b. `may` says which ids may be painted over.
export function brush(mask, width, height, a, b, size, id, may = () => true) {
  const r = size / 2, dx = b.x - a.x, dy = b.y - a.y, long = dx * dx + dy * dy
  const x0 = clamp(Math.floor(Math.min(a.x, b.x) - r), 0, width), x1 = clamp(Math.ceil(Math.max(a.x, b.x) + r), 0, width)
  const y0 = clamp(Math.floor(Math.min(a.y, b.y) - r), 0, height), y1 = clamp(Math.ceil(Math.max(a.y, b.y) + r), 0, height)
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) {
    const px = x + .5 - a.x, py = y + .5 - a.y, t = long ? clamp((px * dx + py * dy) / long, 0, 1) : 0
    const near = (px - t * dx) ** 2 + (py - t * dy) ** 2 <= Math.max(r * r, .5) // one pixel is a brush, too
    if (near && may(mask[y * width + x])) mask[y * width + x] = id
  }
  return [x0, y0, x1 - x0, y1 - y0]
}

// Paint the inside of a polygon: pixels whose centre lies inside, by the even-odd rule.
export function fillPolygon(mask, width, height, corners, id, may = () => true) {
  for (let y = 0; y < height; y++) {
    const at = y + .5, cuts = []
    corners.forEach((a, k) => {
      const b = corners[(k + 1) % corners.length]
      if ((a.y <= at) !== (b.y <= at)) cuts.push(a.x + (at - a.y) / (b.y - a.y) * (b.x - a.x))
    })
    cuts.sort((a, b) => a - b)
    for (let k = 0; k + 1 < cuts.length; k += 2) {
      const from = clamp(Math.ceil(cuts[k] - .5), 0, width), to = clamp(Math.ceil(cuts[k + 1] - .5), 0, width)
      for (let p = y * width + from; p < y * width + to; p++) if (may(mask[p])) mask[p] = id
    }
  }
}

// The pixels that hang together with pixel `p` and are `same(q)`: up, down, left and right of one another.
export function region(width, height, p, same) {
  const seen = new Uint8Array(width * height), found = [p]
  seen[p] = 1
  for (let k = 0; k < found.length; k++) {
    const q = found[k], x = q % width
    for (const [n, there] of [[q - 1, x > 0], [q + 1, x < width - 1], [q - width, q >= width], [q + width, q < width * (height - 1)]])
      if (there && !seen[n] && same(n)) { seen[n] = 1; found.push(n) }
  }
  return found
}

// Superpixels by SLIC (Achanta et al. 2012), here in RGB: pieces about `side` pixels wide that follow the edges of the
// picture. The number of its piece for every pixel; one number may come in parts, which `region` tells apart.
export function superpixels(data, width, height, side, weight = 20, rounds = 4) {
  const nx = Math.max(1, Math.round(width / side)), ny = Math.max(1, Math.round(height / side)), n = nx * ny, stretch = (weight / side) ** 2
  const centres = Array.from({ length: n }, (_, k) => {
    const x = Math.floor((k % nx + .5) * width / nx), y = Math.floor((Math.floor(k / nx) + .5) * height / ny), p = 4 * (y * width + x)
    return [x, y, data[p], data[p + 1], data[p + 2]]
  })
  const piece = new Uint32Array(width * height), near = new Float32Array(width * height), reach = Math.ceil(1.5 * Math.max(width / nx, height / ny))
  for (let round = 0; round < rounds; round++) {
    near.fill(Infinity)
    centres.forEach(([cx, cy, cr, cg, cb], k) => {
      const x0 = clamp(Math.floor(cx - reach), 0, width), x1 = clamp(Math.ceil(cx + reach), 0, width), y1 = clamp(Math.ceil(cy + reach), 0, height)
      for (let y = clamp(Math.floor(cy - reach), 0, height); y < y1; y++) for (let x = x0; x < x1; x++) {
        const p = y * width + x, q = 4 * p
        const d = (data[q] - cr) ** 2 + (data[q + 1] - cg) ** 2 + (data[q + 2] - cb) ** 2 + stretch * ((x - cx) ** 2 + (y - cy) ** 2)
        if (d < near[p]) { near[p] = d; piece[p] = k }
      }
    })
    const sums = new Float64Array(6 * n) // of place and colour, and how many
    for (let y = 0, p = 0; y < height; y++) for (let x = 0; x < width; x++, p++) {
      const k = 6 * piece[p]
      sums[k] += x; sums[k + 1] += y; sums[k + 5]++
      for (let c = 0; c < 3; c++) sums[k + 2 + c] += data[4 * p + c]
    }
    centres.forEach((c, k) => { if (sums[6 * k + 5]) for (let o = 0; o < 5; o++) c[o] = sums[6 * k + o] / sums[6 * k + 5] })
  }
  return piece
}

// ---------------------------------------------------------------------------------------------- 2 History and Kept

// What was done, and what was undone. A step is {box, before, after}, ids of the rectangle as runs.
export class History {
  constructor() { this.done = []; this.undone = [] }
  add(step) { this.done.push(step); this.undone = [] }
  undo() { const s = this.done.pop(); if (s) this.undone.push(s); return s && { box: s.box, runs: s.before } }
  redo() { const s = this.undone.pop(); if (s) this.done.push(s); return s && { box: s.box, runs: s.after } }
}

// Strokes that the kernel has not yet got, in the browser's storage. They outlive page and kernel.
export class Kept {
  constructor(storage, key) {
    this.storage = storage
    this.key = `pixseg-label/${key}`
    this.count = 0
    this.safe = true // whether the storage takes them
    try { this.list = JSON.parse(storage.getItem(this.key)) ?? [] } catch { this.list = [] }
    if (!Array.isArray(this.list)) this.list = []
  }
  add(index, box, runs) {
    const stroke = { seq: `${Date.now()}-${this.count++}`, index, box, runs: [...runs] }
    this.list.push(stroke)
    this.write()
    return stroke
  }
  drop(seq) {
    this.list = this.list.filter(s => s.seq !== seq)
    this.write()
  }
  of(index) { return this.list.filter(s => s.index === index) }
  write() {
    try {
      if (this.list.length) this.storage.setItem(this.key, JSON.stringify(this.list))
      else this.storage.removeItem(this.key)
      this.safe = true
    } catch { this.safe = false } // full, or forbidden
  }
}

// --------------------------------------------------------------------------------------------------------- 3 Easel

const plate = (w, h) => Object.assign(document.createElement('canvas'), { width: w, height: h })

// A rectangle of a canvas anew; `color(p)` gives [r, g, b] or [r, g, b, a] of pixel p, or null.
function tint(target, width, [left, top, w, h], color) {
  if (w < 1 || h < 1) return
  const image = new ImageData(w, h), d = image.data
  for (let y = 0, k = 0; y < h; y++) for (let x = 0; x < w; x++, k += 4) {
    const c = color((top + y) * width + left + x)
    if (c) { d[k] = c[0]; d[k + 1] = c[1]; d[k + 2] = c[2]; d[k + 3] = c[3] ?? 255 }
  }
  target.getContext('2d').putImageData(image, left, top)
}

class Easel {
  constructor(e, state, meta) {
    this.e = e
    this.state = state
    this.meta = meta
    this.box = new Box(4, 3)
    this.frame = null   // {index, width, height, photo, pixels, mask, hint, conf}
    this.at = null      // where the brush is, in pixels of the photograph with fractions
    this.corners = []   // of the polygon that is being drawn
    this.piece = null   // what a click would fill: {inside, pixels, box}, and its `plate`
    this.layers = {}
    this.request = 0
    this.watch = new ResizeObserver(() => this.resize())
    this.watch.observe(e.stage)
    this.again = () => this.resize()
    window.addEventListener('resize', this.again) // a lower window leaves the stage as wide as it was
  }
  close() {
    this.watch.disconnect()
    window.removeEventListener('resize', this.again)
    cancelAnimationFrame(this.request)
  }

  show(frame) {
    const { width: w, height: h } = frame, fresh = !this.frame || !this.box.holds(w, h)
    if (frame.index !== this.frame?.index) this.corners = []
    this.frame = frame
    this.piece = null
    this.layers = { mask: plate(w, h), hint: plate(w, h), conf: plate(w, h) }
    if (fresh) { this.box.take(w, h); this.at = null }
    this.resize()
    const all = [0, 0, w, h], { colors } = this.meta
    this.ink(all)
    if (frame.hint) tint(this.layers.hint, w, all, p => colors[frame.hint[p]])
    if (frame.conf) tint(this.layers.conf, w, all, p => [255, 90, 0, Math.min(255, 1.6 * (255 - frame.conf[p]))])
    this.draw()
  }
  ink(rect) { // the strokes of a rectangle anew
    const { mask, width } = this.frame, { colors, blank } = this.meta
    tint(this.layers.mask, width, rect, p => mask[p] === blank ? null : colors[mask[p]])
    this.draw()
  }

  draw() { this.request ||= requestAnimationFrame(() => { this.request = 0; this.drawNow() }) }
  drawNow() {
    const { frame, layers, box, state } = this, g = this.e.canvas.getContext('2d')
    g.setTransform(1, 0, 0, 1, 0, 0)
    g.clearRect(0, 0, this.e.canvas.width, this.e.canvas.height)
    if (!frame) return
    const { width: w, height: h } = frame, scale = box.scale * box.dpr
    g.setTransform(scale, 0, 0, scale, box.x * box.dpr, box.y * box.dpr)
    g.imageSmoothingEnabled = scale < 4
    g.globalAlpha = 1
    g.drawImage(frame.photo, 0, 0, w, h)
    g.imageSmoothingEnabled = false
    if (frame.hint) { g.globalAlpha = state.hint; g.drawImage(layers.hint, 0, 0) }
    if (frame.conf && state.unsure) { g.globalAlpha = .8; g.drawImage(layers.conf, 0, 0) }
    g.globalAlpha = state.opacity
    g.drawImage(layers.mask, 0, 0)
    if (this.piece) { g.globalAlpha = .75; g.drawImage(this.piece.plate, this.piece.box[0], this.piece.box[1]) }
    g.globalAlpha = 1
    this.places(g, 1 / box.scale)
    this.cursor(g, 1 / box.scale)
  }
  places(g, px) { // numbered rings where the model is least sure
    g.font = `${12 * px}px system-ui, sans-serif`
    g.textAlign = 'center'
    g.textBaseline = 'middle'
    this.frame.places.forEach(([x, y], k) => {
      for (const [color, wide] of [['#000', 4], ['#ffb000', 2]]) {
        g.strokeStyle = color
        g.lineWidth = wide * px
        g.beginPath()
        g.arc(x, y, 9 * px, 0, 7)
        g.stroke()
      }
      g.lineWidth = 3 * px
      g.strokeStyle = '#000'
      g.strokeText(String(k + 1), x, y)
      g.fillStyle = '#fff'
      g.fillText(String(k + 1), x, y)
    })
  }
  hover(piece, color) { // show what a click would fill
    if (piece) {
      const [left, top, w, h] = piece.box, width = this.frame.width
      piece.plate = plate(w, h)
      tint(piece.plate, w, [0, 0, w, h], p => piece.inside[(top + Math.floor(p / w)) * width + left + p % w] ? color : null)
    }
    this.piece = piece
    this.draw()
  }
  cursor(g, px) { // a CSS pixel wide, dark and light, so that it is seen on anything
    const { at, corners, state } = this
    for (const [color, wide] of [['#000', 3], ['#fff', 1.4]]) {
      g.strokeStyle = color
      g.lineWidth = wide * px
      if (corners.length) {
        g.beginPath()
        for (const c of at ? [...corners, at] : corners) g.lineTo(c.x, c.y)
        g.stroke()
      }
      if (!at) continue
      const brushes = state.tool === 'brush' || state.tool === 'erase', r = brushes ? state.size / 2 : 4 * px
      g.beginPath()
      g.arc(at.x, at.y, r, 0, 7)
      g.stroke()
    }
  }

  resize() {
    const { e, box } = this, wide = e.stage.clientWidth, dpr = window.devicePixelRatio || 1
    if (!wide) return
    const around = e.root.offsetHeight - e.main.offsetHeight + e.side.offsetHeight - e.stage.offsetHeight // toolbars, and what is told
    box.stage(wide, clamp(roomAround(e.root) - around, 160, 900))
    e.stage.style.height = box.high + 'px'
    e.list.style.maxHeight = `${Math.max(e.side.offsetHeight, 190)}px`
    e.canvas.width = Math.round(wide * dpr)
    e.canvas.height = Math.round(box.high * dpr)
    box.dpr = e.canvas.width / wide
    this.placed()
  }
  placed() { setText(this.e.zoom, this.box.scale.toFixed(1) + '×'); this.draw() }
  zoom(by, x, y) { this.box.zoom(by, x, y); this.placed() }
  point(event) { // of the photograph, with fractions; may lie beside it
    const r = this.e.canvas.getBoundingClientRect(), { box } = this
    return { x: (event.clientX - r.left - box.x) / box.scale, y: (event.clientY - r.top - box.y) / box.scale }
  }
  pixel(at = this.at) {
    const { frame } = this, x = at && Math.floor(at.x), y = at && Math.floor(at.y)
    return frame && at && x >= 0 && y >= 0 && x < frame.width && y < frame.height ? y * frame.width + x : -1
  }
}

// -------------------------------------------------------------------------------------------------------- 4 Editor

const TOOLS = { brush: ['Brush', 'B', 'Paint with a round brush'], erase: ['Erase', 'E', 'Take paint away'],
  polygon: ['Polygon', 'P', 'Corner by corner; double click or Enter at the first corner closes it'],
  region: ['Region', 'R', "Fill the model's region under the pointer; a superpixel where there is no model"],
  superpixel: ['Superpixel', 'X', 'Fill a piece of the picture that looks alike, about as wide as the brush'] }
const HELP = [['B E P R X', 'brush, erase, polygon, region, superpixel'], ['1 … 9 0', 'class'], [', .', 'previous, next class'],
  ['[ ]  wheel', 'smaller, larger brush or superpixel'], ['Ctrl Z', 'undo'], ['Ctrl Shift Z', 'redo'], ['O', 'only over the class under the brush, or any'],
  ['← ↑ → ↓', 'move the brush'], ['Enter', 'paint, or set a corner'], ['Shift ← ↑ → ↓', 'paint on the way'], ['Ctrl ← ↑ → ↓', 'move by one pixel'],
  ['Esc', 'forget the polygon'], ['+ − F', 'zoom in, out, fit'], ['Ctrl wheel', 'zoom'], ['Space drag', 'pan'],
  ['H', 'what the model fills in'], ['U', 'where it is unsure'], ['G', 'go to the next place where it is unsure'], ['L N S', 'learn, next, save'], ['T', 'train a network'], ['PgUp PgDn', 'photograph before, after'], ['?', 'this list']]

function build(meta, act) {
  const e = {}, icon = (text, title, f, more) => button(text, title, f, { class: 'pv-button pv-icon', ...more })
  const word = (text, title, f) => button(text, title, f, { 'aria-label': null })
  const many = meta.names.length > 1
  e.name = make('span', { class: 'pv-name' })
  e.place = make('span', { class: 'pv-place' })
  e.learn = word('Learn', 'Learn from all strokes (L)', () => act.ask('learn'))
  e.next = word('Next', 'The photograph that the model is least sure of (N)', () => act.ask('next'))
  e.save = word('Save', 'Write masks to disk (S)', () => act.ask('save'))
  e.train = word('Train', `Train a network of your own on these masks, for about ${meta.minutes} minutes (T)`, () => act.ask('train'))
  e.live = word('Live', 'Learn by itself after every stroke (V)', () => act.set({ live: !act.state.live }))
  const top = make('div', { class: 'pv-row' }, make('div', { class: 'pv-group', hidden: !many },
    icon('‹', 'Photograph before (Page up)', () => act.go(-1)), icon('›', 'Photograph after (Page down)', () => act.go(1))), e.name, e.place,
  make('div', { class: 'pv-group pv-end' }, ...meta.learns ? [e.live, e.learn, many && e.next, meta.saves && e.train].filter(Boolean) : [], meta.saves && e.save))
  e.tools = Object.fromEntries(Object.entries(TOOLS).map(([k, [text, key, title]]) => [k, word(text, `${title} (${key})`, () => act.set({ tool: k }))]))
  e.undo = icon('↶', 'Undo (Ctrl Z)', () => act.undo())
  e.redo = icon('↷', 'Redo (Ctrl Shift Z)', () => act.redo())
  const slider = (name, low, high, step, title) => make('input', { type: 'range', min: low, max: high, step, 'aria-label': title,
    oninput: event => act.set({ [name]: +event.target.value }) })
  e.size = slider('size', 1, 100, 1, 'Diameter of the brush, pixels')
  e.sizeText = make('span', { class: 'pv-number' })
  e.hint = slider('hint', 0, 1, .01, 'Opacity of what the model fills in')
  e.seek = icon('◎', 'Go to the next place where the model is unsure (G)', () => act.seek())
  e.unsure = word('Unsure', 'Where the model is unsure: orange (U)', () => act.set({ unsure: !act.state.unsure }))
  e.only = make('select', { 'aria-label': 'Paint only over', onchange: () => act.set({ only: +e.only.value }) },
    make('option', { value: -1 }, 'anything'), ...(meta.blank > meta.labels.length ? [make('option', { value: meta.blank }, 'unpainted')] : []),
    ...meta.labels.map((o, id) => make('option', { value: id }, o)))
  e.zoom = make('span', { class: 'pv-number', title: 'Screen pixels for a pixel of the photograph' })
  e.help = icon('?', 'Keys (?)', () => act.help())
  const bar = make('div', { class: 'pv-row' }, make('div', { class: 'pv-group', role: 'group', 'aria-label': 'Tool' }, ...Object.values(e.tools)),
    make('div', { class: 'pv-group' }, e.undo, e.redo), make('label', { class: 'pv-field' }, 'Size', e.size, e.sizeText),
    make('label', { class: 'pv-field' }, 'Over', e.only), make('label', { class: 'pv-field', hidden: !meta.learns }, 'Model', e.hint), meta.learns && make('div', { class: 'pv-group' }, e.unsure, e.seek),
    make('div', { class: 'pv-field pv-end' }, e.zoom, make('div', { class: 'pv-group', role: 'group', 'aria-label': 'Zoom' },
      icon('−', 'Zoom out (-)', () => act.zoom(1 / 1.5)), icon('+', 'Zoom in (+)', () => act.zoom(1.5)), icon('⤢', 'Fit (F)', () => act.zoom(0))), e.help))
  e.canvas = make('canvas', { class: 'pv-canvas pl-canvas', tabindex: 0, role: 'application', 'aria-label': 'Photograph to paint on' })
  e.keys = make('div', { class: 'pv-keys', hidden: true }, ...HELP.flatMap(([k, what]) => [make('span', { class: 'pv-key' }, k), make('span', {}, what)]))
  e.stage = make('div', { class: 'pv-stage' }, e.canvas, e.keys)
  e.say = make('div', { class: 'pv-read', role: 'status', 'aria-live': 'polite' })
  e.classes = meta.labels.map((name, id) => make('button', { type: 'button', role: 'radio', class: 'pv-class', title: name, onclick: () => act.set({ label: id, ...act.painter() }) },
    make('span', { class: 'pv-swatch', style: `background: ${css(meta.colors[id])}` }), make('span', { class: 'pv-label' }, name),
    make('span', { class: 'pv-number' }, id < 10 ? String((id + 1) % 10) : '')))
  e.list = make('ul', { role: 'radiogroup', 'aria-label': 'Class to paint' }, ...e.classes.map(c => make('li', { role: 'none' }, c)))
  e.side = make('div', { class: 'pv-left-side' }, e.stage, e.say)
  const find = meta.labels.length >= 25 && make('input', { type: 'search', class: 'pv-find', placeholder: 'find a class', 'aria-label': 'Find a class',
    oninput: event => act.find(event.target.value) })
  e.main = make('div', { class: 'pv-main' }, e.side, make('div', { class: 'pv-classes' }, find || null, e.list))
  e.root = make('div', { class: 'pv pl' }, top, bar, e.main)
  return e
}

const AWAY = 'the kernel is away: run the cell again; what you painted is kept here'
const SHARED = ['tool', 'label', 'size', 'only', 'hint', 'opacity', 'live']
const QUIET = 400 // milliseconds without a stroke before it learns by itself
const SLOW = 4000 // milliseconds after which a stroke that the kernel has not confirmed is spoken of

class Editor {
  constructor(model, el) {
    this.model = model
    this.meta = model.get('_meta')
    this.state = { unsure: false, ...Object.fromEntries(SHARED.map(k => [k, model.get(k)])) }
    this.histories = new Map() // photograph -> History
    this.kept = new Kept(globalThis.localStorage, this.meta.key)
    this.stroke = null // {before, last} while the brush is down
    this.cuts = { side: 0 } // superpixels of a frame at a width
    this.sought = -1 // the place that G went to last
    this.timer = 0 // until it learns by itself
    this.doubt = 0 // until a stroke is overdue
    this.e = build(this.meta, this)
    this.easel = new Easel(this.e, this.state, this.meta)
    el.append(this.e.root)
    this.hear()
    this.listen()
    const again = this.kept.list.length
    for (const s of this.kept.list) this.send(s) // the kernel did not say that it had them
    if (again) this.expect()
    this.tell(m => m.send({ type: 'shown' }))
    if (again) this.say(`${again} stroke${again > 1 ? 's' : ''} from last time sent again`)
    this.take()
    this.controls()
  }
  close() {
    for (const [name, f] of Object.entries(this.heard)) this.model.off(name, f)
    clearTimeout(this.timer)
    clearTimeout(this.doubt)
    this.easel.close()
    this.e.root.remove()
  }

  // ---- state

  set(changes) {
    Object.assign(this.state, changes)
    for (const [k, v] of Object.entries(changes)) if (SHARED.includes(k)) this.model.set(k, v)
    this.tell(m => m.save_changes())
    if (changes.tool && changes.tool !== 'polygon') this.easel.corners = []
    if ('live' in changes) this.soon()
    this.easel.piece = null // of another tool, width or class
    this.controls()
    this.easel.draw()
  }
  painter() { return this.state.tool === 'erase' ? { tool: 'brush' } : {} } // who picks a class wants to paint
  say(text) { setText(this.e.say, text) }
  controls() {
    const { e, state, meta } = this, i = this.frame?.index ?? this.model.get('index'), h = this.history(), left = meta.names.length
    setText(e.name, meta.names[i])
    setText(e.place, left > 1 ? `${i + 1} of ${left}` : '')
    for (const [k, b] of Object.entries(e.tools)) setAttr(b, 'aria-pressed', k === state.tool)
    e.classes.forEach((b, id) => { setAttr(b, 'aria-checked', id === state.label); b.tabIndex = id === state.label ? 0 : -1 }) // one stop for Tab
    setAttr(e.unsure, 'aria-pressed', state.unsure)
    setAttr(e.live, 'aria-pressed', state.live)
    setAttr(e.seek, 'aria-disabled', !this.frame?.places.length)
    setAttr(e.undo, 'aria-disabled', !h.done.length) // not `disabled`: that would take the focus away
    setAttr(e.redo, 'aria-disabled', !h.undone.length)
    e.size.value = state.size
    e.hint.value = state.hint
    e.only.value = state.only
    setText(e.sizeText, `${state.size} px`)
    setAttr(e.canvas, 'aria-label', `${meta.names[i]}, ${TOOLS[state.tool][0]}, ${meta.labels[state.label]}`)
  }
  get frame() { return this.easel.frame }
  history(i = this.frame?.index ?? 0) {
    if (!this.histories.has(i)) this.histories.set(i, new History())
    return this.histories.get(i)
  }
  help() { this.e.keys.hidden = !this.e.keys.hidden }
  find(text) { // show the classes with these letters in their names
    const letters = text.trim().toLowerCase()
    this.e.classes.forEach((b, id) => { b.parentElement.hidden = !this.meta.labels[id].toLowerCase().includes(letters) })
  }
  choose(by) { // the class so many places on in the list, which gets the focus
    const there = [...this.meta.labels.keys()].filter(id => !this.e.classes[id].parentElement.hidden), k = there.indexOf(this.state.label)
    const id = there[clamp(k + by, 0, there.length - 1)]
    if (id == null) return
    this.set({ label: id, ...this.painter() })
    this.e.classes[id].focus()
  }
  zoom(by) { this.easel.zoom(by) }
  go(by) {
    const to = clamp(this.model.get('index') + by, 0, this.meta.names.length - 1)
    if (to === this.model.get('index')) return
    this.model.set('index', to)
    this.tell(m => m.save_changes())
    if (this.away) this.say(AWAY)
  }
  ask(type) {
    const { saves, learns, minutes } = this.meta
    if (!{ learn: learns, next: learns, save: saves, train: learns && saves }[type]) return
    this.say({ learn: 'learning …', next: 'looking for the next …', save: 'saving …',
      train: `training for about ${minutes} minutes; what you paint meanwhile is kept here, and arrives afterwards …` }[type])
    this.tell(m => m.send({ type }))
    if (this.away) this.say(AWAY)
  }

  // ---- painting

  may() { const { only } = this.state; return only < 0 ? () => true : id => id === only }
  id() { return this.state.tool === 'erase' ? this.meta.blank : this.state.label }
  begin(at) {
    if (!this.frame) return
    this.stroke = { before: this.frame.mask.slice(), last: at }
    this.move(at)
  }
  move(at) {
    const { mask, width, height } = this.frame
    this.easel.ink(brush(mask, width, height, this.stroke.last, at, this.state.size, this.id(), this.may()))
    this.stroke.last = at
  }
  end(what = TOOLS[this.state.tool][0]) { // the stroke is over: remember it, and send it
    const { frame, stroke } = this
    if (!stroke) return
    this.stroke = null
    const box = changed(stroke.before, frame.mask, frame.width)
    if (box) {
      const after = packRuns(cut(frame.mask, frame.width, box))
      this.history().add({ box, before: packRuns(cut(stroke.before, frame.width, box)), after })
      this.give(box, after)
      this.say(`${what}: ${this.state.tool === 'erase' ? 'nothing' : this.meta.labels[this.state.label]}, ${box[2]} by ${box[3]} pixels${this.unsafe()}`)
    } else this.say(`${what}: nothing changed`)
    this.controls()
    if (this.late) this.take()
  }
  unsafe() { return this.away ? `; ${AWAY}` : this.kept.safe ? '' : '; the browser cannot keep it until it has arrived' }
  whole(what, f) { // a stroke of one piece
    if (!this.frame) return
    this.stroke = { before: this.frame.mask.slice() }
    f(this.frame)
    this.easel.ink([0, 0, this.frame.width, this.frame.height])
    this.end(what)
  }
  polygon() {
    const { corners } = this.easel
    if (corners.length > 2) this.whole('Polygon', f => fillPolygon(f.mask, f.width, f.height, corners, this.id(), this.may()))
    this.easel.corners = []
    this.easel.draw()
  }
  corner(at) {
    const { corners, box } = this.easel, first = corners[0]
    if (corners.length > 2 && Math.hypot(first.x - at.x, first.y - at.y) * box.scale < 9) return this.polygon()
    corners.push(at)
    this.say(`corner ${corners.length}`)
    this.easel.draw()
  }
  soon() { // learn by itself when there is a pause
    clearTimeout(this.timer)
    if (this.state.live && this.meta.learns) this.timer = setTimeout(() => {
      if (this.stroke || this.kept.list.length || this.away) return // the next stroke asks again
      this.tell(m => m.send({ type: 'learn', live: true }))
    }, QUIET)
  }
  pieceAt(at) { // what a click there fills
    const { frame, state: { tool, size } } = this, p = this.easel.pixel(at)
    if (p < 0) return null
    if (this.easel.piece?.inside[p]) return this.easel.piece
    const { width: w, height: h, hint, pixels } = frame
    let same
    if (tool === 'region' && hint) same = q => hint[q] === hint[p]
    else {
      const side = Math.max(4, size), small = Math.max(1, Math.sqrt(w * h / 4e5)), sw = Math.round(w / small), sh = Math.round(h / small)
      if (this.cuts.frame !== frame || this.cuts.side !== side)
        this.cuts = { frame, side, piece: superpixels(pixels(sw, sh), sw, sh, Math.max(3, side / small)) }
      const { piece } = this.cuts, of = q => piece[Math.min(sh - 1, Math.floor(Math.floor(q / w) * sh / h)) * sw + Math.min(sw - 1, Math.floor(q % w * sw / w))]
      same = q => of(q) === of(p)
    }
    const found = region(w, h, p, same), inside = new Uint8Array(w * h)
    let [x0, y0, x1, y1] = [w, h, 0, 0]
    for (const q of found) {
      const x = q % w, y = (q - x) / w
      inside[q] = 1
      x0 = Math.min(x0, x); x1 = Math.max(x1, x); y0 = Math.min(y0, y); y1 = Math.max(y1, y)
    }
    return { inside, pixels: found, box: [x0, y0, x1 - x0 + 1, y1 - y0 + 1] }
  }
  fills() { return this.state.tool === 'region' || this.state.tool === 'superpixel' }
  preview() {
    const { easel, frame } = this
    if (!frame || !this.fills() || frame.width * frame.height > 3e6) return // a large one is too slow for every move
    const piece = easel.at && this.pieceAt(easel.at)
    if (piece !== easel.piece) easel.hover(piece, this.meta.colors[this.state.label])
  }
  flood(at) {
    const piece = this.pieceAt(at)
    if (!piece) return
    const may = this.may()
    this.whole(TOOLS[this.state.tool][0], ({ mask }) => { for (const q of piece.pixels) if (may(mask[q])) mask[q] = this.id() })
  }
  seek() { // the brush to the next place where the model is unsure
    const { easel, frame } = this, { places } = frame ?? { places: [] }
    if (!places.length) return this.say('no places yet: let it learn first')
    this.sought = (this.sought + 1) % places.length
    const [x, y] = places[this.sought]
    easel.at = { x: x + .5, y: y + .5 }
    easel.box.reveal({ px: x, py: y })
    easel.placed()
    this.say(`place ${this.sought + 1} of ${places.length}, ${this.where()}`)
  }
  apply({ box, runs }) { // a rectangle of undo, redo
    const { mask, width } = this.frame
    put(mask, width, box, unpackRuns(runs, box[2] * box[3]))
    this.easel.ink(box)
    this.give(box, runs)
    this.controls()
  }
  undo() { this.back('undo', 'undone') }
  redo() { this.back('redo', 'done again') }
  back(way, word) {
    const step = this.frame && !this.stroke && this.history()[way]()
    if (step) this.apply(step)
    this.say(step ? word : `nothing to ${way}`)
  }

  // ---- kernel

  give(box, runs) {
    this.send(this.kept.add(this.frame.index, box, runs))
    this.expect()
  }
  expect() { // a kernel that has just died, or trains, lets strokes be sent and confirms none
    clearTimeout(this.doubt)
    this.doubt = setTimeout(() => {
      const n = this.kept.list.length
      if (!n) return
      this.overdue = !this.away
      this.say(this.away ? AWAY : `${n} stroke${n > 1 ? 's have' : ' has'} not reached the kernel, which is busy or away; what you painted is kept here; if it was started anew, run the cell again`)
    }, SLOW)
  }
  send({ seq, index, box, runs }) { this.tell(m => m.send({ type: 'stroke', seq, index, box }, undefined, [Uint32Array.from(runs).buffer])) }
  tell(f) { // a kernel that died cannot be told anything; what was painted stays in the browser until it is back
    try { f(this.model); this.away = false } catch { this.away = true }
  }
  async take() { // the frame that the model holds
    const f = this.model.get('_frame'), p = this.model.get('_photo'), ticket = this.ticket = {}
    if (p.index !== f.index) return // the other half is on its way
    if (this.late = !!this.stroke) return // not under the brush
    const open = async v => v && asBytes(v).length ? inflate(asBytes(v)) : null
    const known = this.frame?.index === f.index && this.frame.photo // decoded before
    const [photo, mask, hint, conf] = await Promise.all([known || decodePhoto(asBytes(p.jpeg)), open(f.mask), open(f.hint), open(f.conf)])
    if (ticket !== this.ticket) return // a newer one is on its way
    if (this.stroke) { this.late = true; return }
    const { index, width, height } = f
    for (const s of this.kept.of(index)) put(mask, width, s.box, unpackRuns(s.runs, s.box[2] * s.box[3])) // under way
    let data // of the photograph at the size that was asked for last
    const pixels = (w, h) => { // of the photograph, at that size
      const g = plate(w, h).getContext('2d')
      if (data?.length !== 4 * w * h) { g.drawImage(photo, 0, 0, w, h); data = g.getImageData(0, 0, w, h).data }
      return data
    }
    if (index !== this.frame?.index) this.sought = -1
    this.easel.show({ index, width, height, photo, pixels, mask, hint, conf, places: f.places })
    this.preview()
    this.controls()
  }
  hear() {
    const { model } = this
    this.heard = Object.fromEntries(SHARED.map(k => [`change:${k}`, () => { this.state[k] = model.get(k); if (k === 'live') this.soon(); this.controls(); this.easel.draw() }]))
    this.heard['change:_frame'] = this.heard['change:_photo'] = () => this.take()
    this.heard['change:said'] = () => this.say(model.get('said'))
    this.heard['msg:custom'] = message => {
      if (message.seq) this.kept.drop(message.seq)
      if (message.type === 'ack' && !this.kept.list.length) {
        if (this.overdue) this.say('the kernel has all strokes')
        this.overdue = false
        this.soon()
      }
      if (message.type === 'failed') { this.say(message.text); if (message.seq) this.tell(m => m.send({ type: 'shown' })) }
    }
    for (const [name, f] of Object.entries(this.heard)) model.on(name, f)
  }

  // ---- hands

  listen() {
    const { canvas, root } = this.e, { easel } = this, { box } = easel
    canvas.addEventListener('pointerdown', event => {
      canvas.focus({ preventScroll: true })
      canvas.setPointerCapture(event.pointerId)
      const at = easel.at = easel.point(event)
      if (event.button === 1 || this.space) { event.preventDefault(); this.grip = { x: event.clientX - box.x, y: event.clientY - box.y }; return }
      if (event.button || !this.frame) return
      const { tool } = this.state
      if (tool === 'polygon') this.corner(at)
      else if (this.fills()) this.flood(at)
      else this.begin(at)
    })
    canvas.addEventListener('pointermove', event => {
      if (this.grip) { box.pan(event.clientX - this.grip.x, event.clientY - this.grip.y); easel.placed(); return }
      const way = this.stroke && event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]
      for (const one of way) { easel.at = easel.point(one); if (this.stroke) this.move(easel.at) }
      this.preview()
      easel.draw()
    })
    for (const type of ['pointerup', 'pointercancel']) canvas.addEventListener(type, () => { this.grip = null; this.end() })
    canvas.addEventListener('pointerleave', () => { if (!this.stroke) { easel.at = easel.piece = null; easel.draw() } })
    canvas.addEventListener('dblclick', () => { if (this.state.tool === 'polygon') this.polygon() })
    canvas.addEventListener('wheel', event => { // a bare wheel scrolls the page, unless the reader paints
      const zooms = event.ctrlKey || event.metaKey
      if (!zooms && document.activeElement !== canvas && canvas.getRootNode().activeElement !== canvas) return
      event.preventDefault()
      const r = canvas.getBoundingClientRect()
      if (zooms) this.easel.zoom(Math.exp(-clamp(event.deltaY, -60, 60) / 150), event.clientX - r.left, event.clientY - r.top)
      else this.resize(-Math.sign(event.deltaY))
    }, { passive: false })
    root.addEventListener('keydown', event => this.key(event))
    root.addEventListener('keyup', event => { if (event.key === ' ') this.space = false })
    canvas.addEventListener('blur', () => { this.space = false })
  }
  resize(by) { this.set({ size: clamp(this.state.size + by * Math.max(1, Math.round(this.state.size / 8)), 1, 200) }) }
  arrow(dx, dy, event) { // the brush by keys
    const { easel, frame, state } = this
    if (!frame) return
    const from = easel.at ?? { x: frame.width / 2, y: frame.height / 2 }, by = event.ctrlKey || event.metaKey ? 1 : Math.max(1, Math.round(state.size / 2))
    const at = easel.at = easel.at ? { x: clamp(from.x + dx * by, 0, frame.width - .5), y: clamp(from.y + dy * by, 0, frame.height - .5) } : from
    easel.box.reveal({ px: at.x, py: at.y })
    if (event.shiftKey && (state.tool === 'brush' || state.tool === 'erase')) { this.begin(from); this.move(at); this.end() }
    else this.say(this.where())
    this.preview()
    easel.placed()
  }
  where() {
    const { at } = this.easel, p = this.easel.pixel(), id = p < 0 ? -1 : this.frame.mask[p], { hint, conf } = this.frame, { labels } = this.meta
    const fills = hint && p >= 0 ? `, model: ${labels[hint[p]]} ${Math.round(conf[p] / 2.55)} %` : ''
    return `${Math.floor(at.x)}, ${Math.floor(at.y)}: ${labels[id] ?? 'unpainted'}${fills}`
  }
  enter() {
    const { easel, frame, state } = this
    if (!frame) return
    const at = easel.at ??= { x: frame.width / 2, y: frame.height / 2 }
    if (state.tool === 'polygon') this.corner({ ...at })
    else if (this.fills()) this.flood(at)
    else { this.begin(at); this.end() }
  }
  over() { // paint only over the class under the brush
    const p = this.easel.pixel(), seen = p < 0 ? -1 : this.frame.mask[p]
    this.set({ only: this.state.only >= 0 ? -1 : seen })
    this.say(this.state.only < 0 ? 'paints over anything' : `paints only over ${this.meta.labels[this.state.only] ?? 'what is unpainted'}`)
  }
  key(event) {
    const inside = event.composedPath()[0], { labels } = this.meta, k = event.key, ctrl = event.ctrlKey || event.metaKey
    if (inside.tagName === 'SELECT' || inside.type === 'search' || event.altKey) return
    const slides = inside.tagName === 'INPUT', stage = inside === this.e.canvas, radio = inside.getAttribute?.('role') === 'radio'
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
    const cls = id => { if (id >= 0 && id < labels.length) { this.set({ label: id, ...this.painter() }); this.say(labels[id]) } }
    const tools = { b: 'brush', e: 'erase', p: 'polygon', r: 'region', x: 'superpixel' }, asks = { l: 'learn', n: 'next', s: 'save', t: 'train' }, low = k.toLowerCase()
    let f = null
    if (ctrl) f = low === 'z' ? () => event.shiftKey ? this.redo() : this.undo() : low === 'y' ? () => this.redo() : arrows[k] && stage ? () => this.arrow(...arrows[k], event) : null
    else if (arrows[k]) f = stage ? () => this.arrow(...arrows[k], event) : radio ? () => this.choose(arrows[k][0] + arrows[k][1]) : null
    else if (k === 'Enter') f = stage ? () => this.enter() : null
    else if (k === ' ') f = stage ? () => { this.space = true } : null
    else if (/^\d$/.test(k)) f = () => cls((+k + 9) % 10)
    else if (k === ',' || k === '.') f = () => cls((this.state.label + (k === '.' ? 1 : labels.length - 1)) % labels.length)
    else if (k === '[' || k === ']') f = () => { this.resize(k === ']' ? 1 : -1); this.say(`brush ${this.state.size} pixels`) }
    else if (k === '+' || k === '=' || k === '-') f = () => this.zoom(k === '-' ? 1 / 1.5 : 1.5)
    else if (tools[low]) f = () => { this.set({ tool: tools[low] }); this.say(TOOLS[tools[low]][2]) }
    else if (low === 'f') f = () => this.zoom(0)
    else if (asks[low]) f = () => this.ask(asks[low])
    else if (low === 'g') f = () => this.seek()
    else if (low === 'v') f = () => this.set({ live: !this.state.live })
    else if (low === 'o') f = () => this.over()
    else if (low === 'u') f = () => this.set({ unsure: !this.state.unsure })
    else if (low === 'h') f = () => this.set({ hint: this.state.hint ? 0 : .35 })
    else if (k === 'PageUp' || k === 'PageDown') f = slides ? null : () => this.go(k === 'PageUp' ? -1 : 1)
    else if (k === 'Escape') f = () => { this.easel.corners = []; this.e.keys.hidden = true; this.easel.draw() }
    else if (k === '?') f = () => this.help()
    if (!f) return
    event.preventDefault()
    event.stopPropagation() // a notebook has keys of its own
    f()
  }
}

function show({ model, el }) {
  let editor = new Editor(model, el)
  return () => { editor?.close(); editor = null } // notebooks keep old views, and with them this function: keep nothing through it
}

export default { render: show }
