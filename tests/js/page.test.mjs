// What a page that predicts computes without a browser: `node --test tests/js/`. Nothing is installed for it.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { inflateSync } from 'node:zlib'

const text = await readFile(new URL('../../pixseg/web/page.js', import.meta.url), 'utf8')
const p = await import('data:text/javascript;base64,' + Buffer.from(text).toString('base64'))

test('round is that of Python', () => assert.deepEqual([.5, 1.5, 2.5, 2.4, 2.6, 7].map(p.round), [0, 2, 2, 2, 3, 7]))

test('the working size keeps the proportions at the area', () => {
  assert.deepEqual(p.workSize([605, 1701], [336, 448], 16), [231, 651]) // as pixseg.predict.work_size
  assert.deepEqual(p.workSize([1, 1000], [48, 64], 16), [16, 1753])
  assert.deepEqual(p.workSize([50, 70], null, 16), [50, 70])
})

test('resizing bytes gives what torch gives', () => {
  // F.interpolate(torch.arange(7, dtype=torch.uint8)[None,None,None]*36, (1, 3), mode='bilinear', antialias=True), and (1, 10)
  const one = Uint8ClampedArray.from([0, 36, 72, 108, 144, 180, 216])
  assert.deepEqual([...p.resize(one, [1, 7], [1, 3], 1)], [31, 108, 185])
  assert.deepEqual([...p.resize(one, [1, 7], [1, 10], 1)], [0, 20, 45, 70, 95, 121, 146, 171, 196, 216])
  assert.deepEqual([...p.resize(one, [7, 1], [3, 1], 1)], [31, 108, 185])
})

test('the answer is the best class, and the lowest of equals', () => {
  const { mask, conf } = p.answer(Float32Array.from([1, 0, 5, 1, 3, 5]), 2, [1, 3], [1, 3])
  assert.deepEqual([...mask], [0, 1, 0])
  assert.equal(conf[2], 128) // one half
  assert.deepEqual([...p.answer(Float32Array.from([0, 0, 1, 3]), 2, [1, 2], [2, 4], 1, 2).conf].length, 2)
})

test('windows keep every pixel once', () => {
  for (const [size, tile, grid] of [[100, 30], [31, 30], [30, 30], [5, 30], [701, 336], [701, 336, 32], [1080, 672, 32], [97, 64, 16], [40, 32, 32]]) {
    let at = 0
    for (const [start, first, end] of p.tileBoxes(size, tile, grid)) {
      assert.equal(first, at)
      assert.ok(start <= first && end > first && (end <= start + tile || end === size && end < start + tile + grid) && start % (grid ?? 1) === 0)
      at = end
    }
    assert.equal(at, size)
  }
})

test('a photograph that is too small is refused, in pieces every pixel is asked for once', async () => {
  const model = { classes: 2, least: 2, size: [4, 4], mean: [0, 0, 0], std: [1, 1, 1], temperature: 1 }
  const net = async (input, h, w) => Float32Array.from({ length: 2 * h * w }, (_, k) => k < h * w ? .5 : input[k - h * w]) // bright is class 1
  await assert.rejects(p.predict(net, { pixels: new Uint8ClampedArray(4), height: 1, width: 1 }, model), /1x1, but this network needs at least 2/)
  const [height, width] = [19, 23], pixels = new Uint8ClampedArray(4 * height * width), want = []
  for (let k = 0; k < height * width; k++) { pixels[4 * k] = 255 * (k % 3 === 0); want.push(+(k % 3 === 0)) }
  const { mask } = await p.predict(net, { pixels, height, width, tile: true }, model)
  assert.deepEqual([...mask], want)
})

test('a mask becomes a PNG with a palette', async () => {
  const bytes = new Uint8Array(await (await p.maskPng(Uint8Array.from([0, 1, 2, 3, 4, 5]), [2, 3], [[1, 2, 3], [4, 5, 6]])).arrayBuffer())
  assert.equal(Buffer.from(bytes.subarray(1, 4)).toString(), 'PNG')
  const at = Buffer.from(bytes).indexOf('IDAT'), n = Buffer.from(bytes).readUInt32BE(at - 4)
  assert.deepEqual([...inflateSync(bytes.subarray(at + 4, at + 4 + n))], [0, 0, 1, 2, 0, 3, 4, 5])
})

test('large photographs shrink to what a page takes', () => {
  assert.equal(p.shrinking(3000, 4000), 1)
  assert.ok(Math.abs(p.shrinking(12000, 8000) ** 2 * 96e6 - 24e6) < 1)
})
