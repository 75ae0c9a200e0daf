// What the mask editor does without a browser: `node --test tests/js/`. Nothing is installed for it.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

const WEB = new URL('../../pixseg/web/', import.meta.url)
const read = name => readFile(new URL(name, WEB), 'utf8')
const asUrl = text => 'data:text/javascript;base64,' + Buffer.from(text).toString('base64')

const text = await read('labeller.js')
const l = await import(asUrl(text.replace("'./viewer.js'", `'${asUrl(await read('viewer.js'))}'`)))
const grid = (...rows) => Uint8Array.from(rows.join('').split('').map(Number))

test('the file is a widget, and imports and exports as the Python that joins it to the viewer expects', () => {
  assert.deepEqual(Object.keys(l.default), ['render'])
  assert.equal(text.split('export default').length, 2)
  assert.equal(text.match(/^import /gm).length, 1)
  assert.ok(!/<\/script|innerHTML|https?:\/\//.test(text))
})

test('runs and back', () => {
  const ids = grid('0012', '2222')
  assert.deepEqual([...l.packRuns(ids)], [0, 2, 1, 1, 2, 5])
  assert.deepEqual(l.unpackRuns(l.packRuns(ids), 8), ids)
  assert.deepEqual([...l.packRuns(new Uint8Array())], [])
})

test('the rectangle that changed', () => {
  const a = grid('00000', '00000', '00000'), b = grid('00000', '00100', '00010')
  assert.deepEqual(l.changed(a, b, 5), [2, 1, 2, 2])
  assert.equal(l.changed(a, a, 5), null)
  const part = l.cut(b, 5, [2, 1, 2, 2])
  assert.deepEqual(part, grid('10', '01'))
  l.put(a, 5, [2, 1, 2, 2], part)
  assert.deepEqual(a, b)
})

test('a brush of one pixel paints one, a larger one a disc, a line all between, and never beside the photograph', () => {
  const one = new Uint8Array(25), disc = new Uint8Array(25), line = new Uint8Array(25), edge = new Uint8Array(25)
  l.brush(one, 5, 5, { x: 2.5, y: 2.5 }, { x: 2.5, y: 2.5 }, 1, 7)
  assert.deepEqual(one, grid('00000', '00000', '00700', '00000', '00000'))
  l.brush(disc, 5, 5, { x: 2.5, y: 2.5 }, { x: 2.5, y: 2.5 }, 3, 1)
  assert.deepEqual(disc, grid('00000', '01110', '01110', '01110', '00000'))
  l.brush(line, 5, 5, { x: .5, y: 1.5 }, { x: 4.5, y: 1.5 }, 1, 1)
  assert.deepEqual(line, grid('00000', '11111', '00000', '00000', '00000'))
  l.brush(edge, 5, 5, { x: -3, y: -3 }, { x: -1, y: -1 }, 1, 1)
  assert.ok(edge.every(v => v === 0))
})

test('painting only inside a class leaves all others', () => {
  const mask = grid('00112', '00112')
  l.brush(mask, 5, 2, { x: 0, y: 1 }, { x: 5, y: 1 }, 9, 3, id => id === 1)
  assert.deepEqual(mask, grid('00332', '00332'))
})

test('a polygon paints the pixels whose centre lies in it', () => {
  const mask = new Uint8Array(25), corners = [[1, 1], [4, 1], [4, 3], [1, 3]].map(([x, y]) => ({ x, y }))
  l.fillPolygon(mask, 5, 5, corners, 1)
  assert.deepEqual(mask, grid('00000', '01110', '01110', '00000', '00000'))
  const beyond = new Uint8Array(25)
  l.fillPolygon(beyond, 5, 5, corners.map(({ x, y }) => ({ x: (x - 2.5) * 20, y: (y - 2.5) * 20 })), 1)
  assert.ok(beyond.every(v => v === 1))
})

test('a region ends where it is another class, and does not go round the edge', () => {
  const map = grid('1101', '0011', '1101')
  assert.deepEqual(l.region(4, 3, 0, q => map[q] === 1).sort((a, b) => a - b), [0, 1])
  assert.deepEqual(l.region(4, 3, 3, q => map[q] === 1).sort((a, b) => a - b), [3, 6, 7, 11])
})

test('superpixels keep to the edges of the picture, cover it, and are about as wide as asked', () => {
  const w = 60, h = 40, data = new Uint8ClampedArray(4 * w * h), bright = p => p % w >= 23 + Math.floor(p / w) % 3
  for (let p = 0; p < w * h; p++) data.fill(bright(p) ? 200 : 40, 4 * p, 4 * p + 3)
  const piece = l.superpixels(data, w, h, 10), sides = new Map(), sizes = new Map()
  piece.forEach((k, p) => { sides.set(k, (sides.get(k) ?? new Set()).add(bright(p))); sizes.set(k, (sizes.get(k) ?? 0) + 1) })
  assert.ok([...sides.values()].every(s => s.size === 1)) // none lies on both sides
  assert.ok(sizes.size >= 20 && sizes.size <= 24, `${sizes.size} pieces`)
  assert.equal([...sizes.values()].reduce((a, b) => a + b), w * h)
  assert.equal(new Set(l.superpixels(data, w, h, 500)).size, 1) // wider than the picture: one
})

test('undo and redo go all the way back and forth, and a new stroke forgets what was undone', () => {
  const h = new l.History(), mask = new Uint8Array(4), states = [[...mask]]
  const paint = (p, id) => {
    const before = mask.slice()
    mask[p] = id
    const box = l.changed(before, mask, 4)
    h.add({ box, before: l.packRuns(l.cut(before, 4, box)), after: l.packRuns(l.cut(mask, 4, box)) })
    states.push([...mask])
  }
  const apply = step => step && l.put(mask, 4, step.box, l.unpackRuns(step.runs, step.box[2] * step.box[3]))
  for (let k = 0; k < 200; k++) paint(k % 4, 1 + k % 7)
  for (let k = 199; k >= 0; k--) { apply(h.undo()); assert.deepEqual([...mask], states[k]) }
  assert.equal(h.undo(), undefined)
  for (let k = 1; k <= 200; k++) { apply(h.redo()); assert.deepEqual([...mask], states[k]) }
  assert.equal(h.redo(), undefined)
  apply(h.undo())
  paint(0, 3)
  assert.equal(h.redo(), undefined)
})

function storage(full = false) {
  const m = new Map()
  return { m, getItem: k => m.get(k) ?? null, removeItem: k => m.delete(k), setItem(k, v) { if (full) throw new Error('quota'); m.set(k, v) } }
}

test('a stroke is kept until it is acknowledged, and a page that opens anew finds it', () => {
  const s = storage(), kept = new l.Kept(s, 'a')
  const first = kept.add(0, [1, 2, 3, 1], Uint32Array.from([5, 3])), second = kept.add(1, [0, 0, 1, 1], Uint32Array.from([255, 1]))
  kept.drop(first.seq)
  const again = new l.Kept(s, 'a')
  assert.deepEqual(again.list, [second])
  assert.deepEqual(again.of(1)[0].runs, [255, 1])
  assert.deepEqual(new l.Kept(s, 'b').list, []) // another labeller's
  again.drop(second.seq)
  assert.equal(s.m.size, 0)
  assert.notEqual(first.seq, second.seq)
})

test('a storage that is full, or holds rubbish, is no end', () => {
  const kept = new l.Kept(storage(true), 'a')
  kept.add(0, [0, 0, 1, 1], [1, 1])
  assert.equal(kept.safe, false)
  assert.equal(kept.of(0).length, 1)
  const odd = storage()
  odd.m.set('pixseg-label/a', '{nonsense')
  assert.deepEqual(new l.Kept(odd, 'a').list, [])
})
