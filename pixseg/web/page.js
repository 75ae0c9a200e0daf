// A model in a page: photographs in, masks out, nothing leaves the computer.
//
// The page holds this file twice. In the page, `start` takes photographs and hands masks to the viewer; in a worker,
// `serve` runs the network with onnxruntime-web, so that the page stays awake meanwhile. What the network sees and how
// its answer becomes a mask is that of `predict_mask`, step by step, in the functions of part 1, which need no browser
// (tests/js).

// ------------------------------------------------------------------------------------- 1 as in `pixseg.predict`

// Python's `round`: a half goes to the even neighbour.
export const round = x => Math.abs(x % 1) === .5 ? 2 * Math.round(x / 2) : Math.round(x)

// `work_size`: the photograph's proportions [height, width] at the training frames' area.
export function workSize([h, w], trained, least) {
  const s = trained ? Math.sqrt(trained[0] * trained[1] / (h * w)) : 1
  return [h, w].map(o => Math.max(least, 1, round(o * s)))
}

// Of each new pixel along an axis: the first old one that counts, and how much each does, as whole numbers with `bits`
// behind the point. Torch resizes bytes like this, after Pillow; the triangle widens where the picture shrinks.
export function triangles(from, to) {
  const scale = from / to, reach = Math.max(scale, 1), all = []
  for (let i = 0; i < to; i++) {
    const middle = scale * (i + .5), first = Math.max(0, Math.trunc(middle - reach + .5))
    const n = Math.min(from, Math.trunc(middle + reach + .5)) - first
    const parts = Array.from({ length: n }, (_, j) => Math.max(0, 1 - Math.abs((j + first - middle + .5) / reach)))
    const sum = parts.reduce((a, b) => a + b, 0)
    all.push({ first, parts: parts.map(o => o / sum) })
  }
  const most = Math.max(...all.map(o => Math.max(...o.parts)))
  let bits = 0
  while (bits < 22 && Math.trunc(.5 + most * 2 ** (bits + 1)) < 2 ** 15) bits++
  return { bits, all: all.map(({ first, parts }) => ({ first, parts: parts.map(o => Math.trunc(.5 + o * 2 ** bits)) })) }
}

// Bytes [height][width][channels] at another size; first along the rows, then down the columns.
export function resize(bytes, [h, w], [high, wide], channels = 3) {
  const along = (from, rows, old, now, step, line, outLine, outStep) => {
    const out = new Uint8ClampedArray(rows * now * channels), { bits, all } = triangles(old, now), half = 2 ** (bits - 1)
    for (let r = 0; r < rows; r++) for (let i = 0; i < now; i++) {
      const { first, parts } = all[i]
      for (let c = 0; c < channels; c++) {
        let sum = half, at = r * line + first * step + c
        for (let j = 0; j < parts.length; j++, at += step) sum += parts[j] * from[at]
        out[r * outLine + i * outStep + c] = sum >> bits // clamped
      }
    }
    return out
  }
  if (w !== wide) bytes = along(bytes, h, w, wide, channels, w * channels, wide * channels, channels)
  if (h !== high) bytes = along(bytes, wide, h, high, wide * channels, channels, channels, wide * channels)
  return bytes
}

// `to_input`: a window {y, x, h, w} of a photograph (red, green, blue, and a fourth that is left out) as the network wants it.
export function toInput(pixels, width, { y, x, h, w }, size, mean, std) {
  const bytes = new Uint8ClampedArray(h * w * 3)
  for (let r = 0, o = 0; r < h; r++) for (let k = 4 * ((y + r) * width + x), end = k + 4 * w; k < end; k += 4) {
    bytes[o++] = pixels[k]
    bytes[o++] = pixels[k + 1]
    bytes[o++] = pixels[k + 2]
  }
  const small = resize(bytes, [h, w], size), area = size[0] * size[1], out = new Float32Array(3 * area)
  for (let c = 0; c < 3; c++) {
    const less = Math.fround(mean[c] * 255), over = Math.fround(std[c] * 255)
    for (let p = 0; p < area; p++) out[c * area + p] = Math.fround(small[3 * p + c] - less) / over
  }
  return out
}

// Where a new row or column lies between the old ones.
const between = (i, from, to) => {
  const at = Math.max(0, (i + .5) * from / to - .5), low = Math.min(Math.floor(at), from - 1)
  return [low, Math.min(low + 1, from - 1), at - low]
}

// The best class and how sure it is, out of logits (classes, h, w) enlarged to (high, wide): `enlarge_logits` and `best_class` at
// once, a row at a time, since all enlarged logits of a large photograph would not fit into a page's memory. The confidence
// is that of every `thin`-th pixel, in whole percents of 255.
export function answer(logits, n, [h, w], [high, wide], temperature = 1, thin = 1) {
  const mask = new Uint8Array(high * wide), across = Math.ceil(wide / thin), conf = new Uint8Array(Math.ceil(high / thin) * across)
  const row = new Float32Array(w * n), now = new Float32Array(n), xs = Array.from({ length: wide }, (_, x) => between(x, w, wide))
  for (let y = 0; y < high; y++) {
    const [y0, y1, fy] = between(y, h, high)
    for (let c = 0; c < n; c++) {
      const a = (c * h + y0) * w, b = (c * h + y1) * w
      for (let x = 0; x < w; x++) row[x * n + c] = logits[a + x] * (1 - fy) + logits[b + x] * fy
    }
    for (let x = 0; x < wide; x++) {
      const [x0, x1, fx] = xs[x], a = x0 * n, b = x1 * n
      let best = 0
      for (let c = 0; c < n; c++) {
        now[c] = row[a + c] * (1 - fx) + row[b + c] * fx
        if (now[c] > now[best]) best = c // the lowest of several equals
      }
      mask[y * wide + x] = best
      if (y % thin || x % thin) continue
      let sum = 0
      for (let c = 0; c < n; c++) sum += Math.exp((now[c] - now[best]) / temperature)
      conf[y / thin * across + x / thin] = round(Math.floor(100 / sum + .5) * 255 / 100)
    }
  }
  return { mask, conf }
}

// `tile_margin`: a sixth of a window in whole steps of the grid, or as many steps as leave something to keep.
const tileMargin = (tile, grid) => Math.max(0, Math.min(Math.ceil(tile / (6 * grid)), Math.floor((tile - grid) / (2 * grid)))) * grid

// `tile_boxes`: windows along an axis whose kept parts cover every pixel once, [start, first kept, one past the last].
export function tileBoxes(size, tile, grid = 1, margin = tileMargin(tile, grid)) {
  if (tile >= size) return [[0, 0, size]]
  const boxes = [], last = Math.floor((size - tile) / grid) * grid
  for (let kept = 0; kept < size;) {
    const start = Math.min(Math.floor(Math.max(0, kept - margin) / grid) * grid, last), end = start === last ? size : start + tile - margin
    boxes.push([start, kept, end])
    kept = end
  }
  return boxes
}

// Every `thin`-th pixel of a mask: no mean, which would be no class.
export function thinned(mask, [h, w], thin) {
  if (thin === 1) return mask
  const across = Math.ceil(w / thin), out = new Uint8Array(Math.ceil(h / thin) * across)
  for (let y = 0, o = 0; y < h; y += thin) for (let x = 0; x < w; x += thin) out[o++] = mask[y * w + x]
  return out
}

// ------------------------------------------------------------------------------------------ 2 the worker's half

// `predict_mask` for one photograph, whole or in windows of its own resolution. `net(input, h, w)` gives the logits.
export async function predict(net, { pixels, height: h, width: w, thin = 1, tile = false }, model, tell = (_done, _all) => {}) {
  if (Math.min(h, w) < model.least) {
    throw new Error(`the photograph is ${h}x${w}, but this network needs at least ${model.least} pixels a side: choose a larger one`)
  }
  const look = async (window, size, step) => {
    const logits = await net(toInput(pixels, w, window, size, model.mean, model.std), ...size)
    return answer(logits, model.classes, size, [window.h, window.w], model.temperature, step)
  }
  if (!tile) {
    const work = workSize([h, w], model.size, model.least)
    return { ...await look({ y: 0, x: 0, h, w }, work, thin), work }
  }
  const [th, tw] = (model.size ?? [384, 384]).map(o => 2 * o), rows = tileBoxes(h, th, model.least), columns = tileBoxes(w, tw, model.least), across = Math.ceil(w / thin)
  const mask = new Uint8Array(h * w), conf = new Uint8Array(Math.ceil(h / thin) * across)
  let done = 0
  for (const [y, y0, y1] of rows) for (const [x, x0, x1] of columns) {
    const window = { y, x, h: Math.max(Math.min(y + th, h), y1) - y, w: Math.max(Math.min(x + tw, w), x1) - x }, part = await look(window, [window.h, window.w], 1)
    for (let r = y0; r < y1; r++) for (let c = x0, k = (r - y) * window.w - x; c < x1; c++) {
      mask[r * w + c] = part.mask[k + c]
      if (r % thin === 0 && c % thin === 0) conf[r / thin * across + c / thin] = part.conf[k + c]
    }
    tell(++done, rows.length * columns.length)
  }
  return { mask, conf, work: [th, tw] }
}

// Answer the page: first {wasm, onnx, model}, then photographs, one after the other.
export function serve(ort, port) {
  let net, model, last = Promise.resolve()
  async function open({ wasm, onnx, model: about }) {
    Object.assign(ort.env.wasm, { wasmBinary: wasm, numThreads: 1 })
    const session = await ort.InferenceSession.create(onnx, { executionProviders: ['wasm'] })
    model = about
    net = async (input, h, w) => {
      const { logits } = await session.run({ image: new ort.Tensor('float32', input, [1, 3, h, w]) })
      return logits.data
    }
    port.postMessage({ ready: true })
  }
  async function look(ask) {
    const start = performance.now()
    const found = await predict(net, ask, model, (done, all) => port.postMessage({ id: ask.id, done, all }))
    port.postMessage({ id: ask.id, ...found, seconds: (performance.now() - start) / 1000 }, [found.mask.buffer, found.conf.buffer])
  }
  port.onunhandledrejection = e => port.postMessage({ error: String(e.reason?.message ?? e.reason) }) // the runtime's own
  port.onmessage = ({ data }) => {
    last = last.then(() => data.onnx ? open(data) : look(data)).catch(e => port.postMessage({ id: data.id, error: String(e?.message ?? e) }))
  }
}

// ------------------------------------------------------------------------------------------------ 3 bytes and files

const through = async (bytes, stream) => new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer())
export const deflate = bytes => through(bytes, new CompressionStream('deflate'))
export const inflate = bytes => through(bytes, new DecompressionStream('deflate'))

// What stands in the page as text: base64 of deflated bytes.
export const unpack = text => inflate(Uint8Array.from(atob(text.trim()), c => c.charCodeAt(0)))

const CRC = Uint32Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? n >>> 1 ^ 0xEDB88320 : n >>> 1; return n })
const crc = bytes => ~bytes.reduce((c, b) => CRC[(c ^ b) & 255] ^ c >>> 8, -1) >>> 0

// Class ids as a PNG with the colours of the classes as palette, as `save_mask` writes it.
export async function maskPng(mask, [h, w], colors) {
  const chunk = (name, data) => {
    const out = new Uint8Array(data.length + 12), view = new DataView(out.buffer)
    view.setUint32(0, data.length)
    out.set(new TextEncoder().encode(name), 4)
    out.set(data, 8)
    view.setUint32(data.length + 8, crc(out.subarray(4, data.length + 8)))
    return out
  }
  const head = new DataView(new ArrayBuffer(13)), rows = new Uint8Array(h * (w + 1)) // each begins with a 0: no filter
  head.setUint32(0, w)
  head.setUint32(4, h)
  head.setUint16(8, 0x0803) // 8 bits, palette
  for (let y = 0; y < h; y++) rows.set(mask.subarray(y * w, (y + 1) * w), y * (w + 1) + 1)
  const parts = [chunk('IHDR', new Uint8Array(head.buffer)), chunk('PLTE', Uint8Array.from(colors.flat())), chunk('IDAT', await deflate(rows)),
    chunk('IEND', new Uint8Array(0))]
  return new Blob([Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10]), ...parts], { type: 'image/png' })
}

const MOST = 24e6 // pixels of a photograph; more are shrunk first
const SIDE = 2048 // the longest side that the viewer shows

// How far a photograph must shrink before anything else: 1 is not at all.
export const shrinking = (h, w, most = MOST) => Math.min(1, Math.sqrt(most / (h * w)))

// A photograph's pixels, upright, its colours as they are in the file: {pixels, height, width, note, jpeg of what is shown, thin}.
async function readPhoto(blob) {
  const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image', colorSpaceConversion: 'none', premultiplyAlpha: 'none' })
  const k = shrinking(bitmap.height, bitmap.width), [height, width] = [bitmap.height, bitmap.width].map(o => Math.max(1, Math.floor(o * k)))
  const drawn = (w, h) => {
    const c = Object.assign(document.createElement('canvas'), { width: w, height: h }), g = c.getContext('2d', { willReadFrequently: true })
    g.imageSmoothingQuality = 'high'
    g.drawImage(bitmap, 0, 0, w, h)
    return [c, g]
  }
  const thin = Math.ceil(Math.max(height, width) / SIDE), { data: pixels } = drawn(width, height)[1].getImageData(0, 0, width, height)
  const [small] = drawn(Math.ceil(width / thin), Math.ceil(height / thin))
  const jpeg = await new Promise(done => small.toBlob(done, 'image/jpeg', .92))
  const note = k < 1 ? `${bitmap.width} x ${bitmap.height} pixels are more than this page takes: shrunk to ${width} x ${height}` : ''
  bitmap.close()
  return { pixels, height, width, thin, note, jpeg: new Uint8Array(await jpeg.arrayBuffer()) }
}

// --------------------------------------------------------------------------------------------------- 4 the page

const CAMERA = {
  NotAllowedError: 'The browser did not allow the camera: allow it beside the address bar and try again, or choose a file.',
  NotFoundError: 'No camera was found: connect one, or choose a file.',
  NotReadableError: 'The camera is in use by another program: close it and try again.',
}

// The page's half. `viewer` is that of viewer.js; `about` what the Python half knows: {state, model, palette}; `part(name)` gives the
// bytes that stand in the page.
export async function start(viewer, about, part) {
  const at = id => /** @type {any} */ (document.getElementById(id)), frames = [], waiting = new Map(), state = { ...about.state }
  let close = null, number = 0, stream = null
  const say = (text, wrong = false) => { at('say').textContent = text; at('say').classList.toggle('pg-wrong', wrong) }
  const tell = (name, why) => at('notes').append(Object.assign(document.createElement('li'), { textContent: `${name}: ${why}` }))

  // The worker: made from text that stands in the page. A page from disk may have no worker that is a module.
  const [engine, wasm, onnx] = await Promise.all(['engine', 'wasm', 'model'].map(part))
  const worker = new Worker(URL.createObjectURL(new Blob([engine], { type: 'text/javascript' })))
  const ready = new Promise((yes, no) => {
    worker.onerror = e => no(new Error(e.message || 'the worker did not start'))
    worker.onmessage = ({ data }) => {
      if (data.ready) return yes()
      const ask = waiting.get(data.id)
      if (!ask) return no(new Error(data.error))
      if (data.done) return say(`${ask.name}: piece ${data.done} of ${data.all}`)
      waiting.delete(data.id)
      if (data.error) ask.no(new Error(data.error))
      else ask.yes(data)
    }
  })
  worker.postMessage({ wasm, onnx, model: about.model }, [wasm.buffer, onnx.buffer])
  const look = (name, photo) => new Promise((yes, no) => {
    waiting.set(++number, { name, yes, no })
    const { pixels, height, width, thin } = photo
    worker.postMessage({ id: number, pixels, height, width, thin, tile: at('tile').checked }, [pixels.buffer])
  })

  // The viewer is told of all frames at its start, so it is made anew when there are more.
  function show(index) {
    close?.()
    const pack = {}, step = {}, sizes = frames.map(f => [Math.ceil(f.height / f.thin), Math.ceil(f.width / f.thin), f.thin])
    frames.forEach((f, i) => { pack[`photo/${i}`] = f.jpeg; step[`pred/0/${i}`] = f.pred; step[`conf/0/${i}`] = f.conf })
    Object.assign(state, { index, _pack: pack, _step0: step, _meta: { ...about.state._meta, names: frames.map(f => f.name), sizes } })
    close = viewer.render({ el: at('viewer'), model: { get: k => state[k], set: (k, v) => { state[k] = v }, save_changes() {}, send() {}, on() {}, off() {} } })
    at('save').disabled = false
  }
  async function add(name, blob) {
    const photo = await readPhoto(blob)
    say(`${name}: looking at ${photo.width} x ${photo.height} pixels …`)
    if (photo.note) tell(name, photo.note)
    const { mask, conf, seconds, work } = await look(name, photo), { height, width, thin, jpeg } = photo, size = [height, width]
    const [pred, packed, full] = await Promise.all([thinned(mask, size, thin), conf, mask].map(deflate))
    frames.push({ name, height, width, thin, jpeg, pred, conf: packed, full, seconds })
    const how = at('tile').checked ? `in pieces of ${work[1]} x ${work[0]}` : `seen at ${work[1]} x ${work[0]}`
    return `${name}: ${width} x ${height} pixels, ${how}, ${seconds.toFixed(1)} s`
  }
  async function take(files) { // photographs one after the other; a bad one is told, and the others go on
    const first = frames.length
    let said = ''
    at('notes').replaceChildren()
    for (const file of files) {
      say(`${file.name}: opening …`)
      try { said = await add(file.name, file) }
      catch (e) { tell(file.name, e.name === 'InvalidStateError' || e.name === 'EncodingError' ? 'the browser cannot read this as a photograph: choose a JPEG, PNG or WebP' : e.message) }
      if (frames.length === first + 1 && !close) show(first)
    }
    if (frames.length > first && (first || frames.length > first + 1)) show(first)
    say(said || 'No photograph could be used; why stands below.', !said)
  }
  let queue = ready
  const enqueue = list => {
    const files = [...list] // now: the browser empties its list
    if (files.length) queue = queue.then(() => take(files)).catch(e => say(e.message, true))
  }

  // ---- files by hand, by drop, by paste, by camera

  at('file').addEventListener('change', () => { enqueue(at('file').files); at('file').value = '' })
  at('choose').addEventListener('click', () => at('file').click())
  const mark = on => document.body.classList.toggle('pg-over', on)
  window.addEventListener('dragover', e => { e.preventDefault(); mark(true) })
  window.addEventListener('dragleave', e => { if (!e.relatedTarget) mark(false) })
  window.addEventListener('drop', e => { e.preventDefault(); mark(false); if (e.dataTransfer?.files.length) enqueue(e.dataTransfer.files) })
  window.addEventListener('paste', e => { if (e.clipboardData?.files.length) enqueue(e.clipboardData.files) })

  const dark = () => { // no light may stay on
    stream?.getTracks().forEach(t => t.stop())
    stream = at('video').srcObject = null
    at('live').hidden = true
    at('camera').hidden = false
  }
  at('camera').addEventListener('click', async () => {
    if (!navigator.mediaDevices?.getUserMedia) return say('This browser gives no camera to a page from disk: choose a file.', true)
    try { stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } } }) }
    catch (e) { return say(CAMERA[e.name] ?? `The camera did not start (${e.name}): choose a file.`, true) }
    at('video').srcObject = stream
    at('live').hidden = false
    at('camera').hidden = true
    at('shoot').focus()
  })
  at('shoot').addEventListener('click', async () => {
    const video = at('video'), c = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight })
    if (!c.width) return say('The camera has sent no picture yet: wait a moment.', true)
    c.getContext('2d').drawImage(video, 0, 0)
    const blob = await new Promise(done => c.toBlob(done, 'image/png'))
    dark()
    at('camera').focus()
    enqueue([new File([blob], `camera ${frames.length + 1}.png`)])
  })
  at('stop').addEventListener('click', () => { dark(); at('camera').focus() })
  window.addEventListener('pagehide', dark)

  at('save').addEventListener('click', async () => {
    const f = frames[state.index], png = await maskPng(await inflate(f.full), [f.height, f.width], about.palette)
    const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(png), download: f.name.replace(/\.\w+$/, '') + '_mask.png' })
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60000)
    say(`${link.download}: class ids with the colours of the classes, ${f.width} x ${f.height} pixels`)
  })

  try {
    await ready
    for (const id of ['choose', 'camera']) at(id).disabled = false
    say('Ready: drop, paste or choose photographs, or take one.')
  } catch (e) { say(`The network could not be started (${e.message}): try a current Chrome, Edge, Firefox or Safari.`, true) }
}
