// What the viewer does without a browser: `node --test tests/js/`. Nothing is installed for it.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { test } from 'node:test'

const ROOT = new URL('../../pixseg/', import.meta.url)

// The files are modules by what is in them, not by their name: read as text, as a notebook does it.
async function load(name) {
  const file = [new URL(`web/${name}`, ROOT), new URL(name, ROOT)].find(f => existsSync(f))
  return import('data:text/javascript;base64,' + Buffer.from(await readFile(file, 'utf8')).toString('base64'))
}

const v = await load('viewer.js')
const { Box, Decoded, Ranking, Store } = v

// ---- small helpers

test('a frame’s own IoU is called by its name, somebody’s score keeps its', () => {
  assert.deepEqual([v.titleOf('IoU', { mean: true }), v.titleOf('IoU', { mean: false }), v.titleOf('Road', { mean: true })], ['mean IoU', 'IoU', 'Road'])
})

test('clamp, percent and css', () => {
  assert.deepEqual([-1, .5, 2].map(x => v.clamp(x, 0, 1)), [0, .5, 1])
  assert.equal(v.percent(.256), '26%')
  assert.equal(v.percent(.256, 1), '25.6%')
  assert.deepEqual([NaN, Infinity].map(x => v.percent(x)), ['–', '–'])
  assert.equal(v.css([1, 2, 3]), 'rgb(1 2 3)')
})

test('the file is a widget, and nothing in it can end a page or be taken for another export', async () => {
  assert.deepEqual(Object.keys(v.default), ['render'])
  const text = await readFile([new URL('web/viewer.js', ROOT), new URL('viewer.js', ROOT)].find(f => existsSync(f)), 'utf8')
  assert.equal(text.split('export default').length, 2) // `MaskBrowser.save` replaces it
  assert.ok(!/<\/script|innerHTML|https?:\/\//.test(text))
  assert.ok(!/^(const|let|class|function) (state|bytes|model|viewer)\b/m.test(text)) // names of the saved page
})

// ---- the store of bytes

function talk() { // a model that writes down what it is asked for
  const model = { asked: [], heard: [], on(_, f) { model.heard.push(f) }, off(_, f) { model.heard = model.heard.filter(g => g !== f) },
    send(m) { model.asked.push(m.keys) },
    answer(frames, errors = {}) { for (const f of model.heard) f({ type: 'frames', keys: Object.keys(frames), errors }, Object.values(frames)) } }
  return model
}
const bytes = n => new Uint8Array(n).fill(1)

test('keys of a frame', () => {
  assert.deepEqual(v.keysOf({ truth: true, conf: true }, 1, 3), ['photo/3', 'pred/1/3', 'truth/3', 'conf/1/3'])
  assert.deepEqual(v.keysOf({ truth: false, conf: false }, 0, 2), ['photo/2', 'pred/0/2'])
})

test('what came along is never asked for and never dropped', () => {
  const model = talk(), store = new Store(model, () => {}, 10)
  store.take({ 'photo/0': bytes(1000), 'conf/0/0': bytes(0) })
  store.want('frames', ['photo/0', 'conf/0/0'])
  assert.deepEqual(model.asked, [])
  assert.equal(store.get('photo/0').length, 1000)
  assert.equal(store.get('conf/0/0'), null) // there is no such thing, and that is known
  for (const k of ['photo/1', 'photo/2']) store.lend(k, bytes(8))
  assert.ok(store.has('photo/0') && !store.has('photo/1'))
})

test('the longest unused bytes go first', () => {
  const store = new Store(talk(), () => {}, 10)
  for (const k of ['a', 'b', 'c']) store.lend(k, bytes(3))
  store.get('a')
  store.lend('d', bytes(3))
  assert.deepEqual(['a', 'b', 'c', 'd'].map(k => store.has(k)), [true, false, true, true])
  assert.equal(store.size, 9)
  store.lend('d', bytes(3)) // a second answer counts once
  assert.equal(store.size, 9)
  store.lend('huge', bytes(50)) // what was asked for last stays, however large
  assert.deepEqual([...store.lent.keys()], ['huge'])
  assert.equal(store.size, 50)
})

test('one question at a time, and only the latest wish', () => {
  let arrived = 0
  const model = talk(), store = new Store(model, () => { arrived++ })
  store.want('frames', ['photo/0'])
  for (const i of [1, 2, 3]) store.want('frames', [`photo/${i}`])
  store.want('thumbs', ['thumb/7'])
  assert.deepEqual(model.asked, [['photo/0']])
  model.answer({ 'photo/0': bytes(2) })
  assert.equal(arrived, 1)
  assert.deepEqual(model.asked[1], ['photo/3', 'thumb/7']) // frames before thumbnails
  model.answer({ 'thumb/7': bytes(2) }, { 'photo/3': 'no such file' })
  assert.equal(store.failed.get('photo/3'), 'no such file')
  assert.equal(model.asked.length, 2) // a frame that failed is not asked for again
  store.close()
  assert.equal(model.heard.length, 0)
})

test('at most eight keys a question; a question without an answer counts as lost', t => {
  let now = 1000
  t.mock.method(performance, 'now', () => now)
  const model = talk(), store = new Store(model, () => {})
  store.want('frames', [...Array(20).keys()].map(i => `photo/${i}`))
  assert.equal(model.asked[0].length, 8)
  now += 9000
  store.ask()
  assert.equal(model.asked.length, 1)
  now += 2000
  store.ask()
  assert.equal(model.asked.length, 2)
})

test('decoded frames: decoded once, the longest unused go', async () => {
  const store = new Store(talk(), () => {}), made = []
  for (const k of ['a', 'b', 'c']) store.lend(k, bytes(1))
  const decoded = new Decoded(store, 10, async key => { made.push(key); return bytes(4) })
  assert.equal((await Promise.all([decoded.get('a'), decoded.get('a')]))[1].length, 4)
  await decoded.get('b')
  await decoded.get('a')
  await decoded.get('c')
  assert.deepEqual(made, ['a', 'b', 'c'])
  assert.deepEqual([...decoded.kept.keys()], ['a', 'c'])
  assert.equal(decoded.size, 8)
  assert.equal(await decoded.get('nothing'), null)
})

// ---- layers

const META = { labels: ['Road', 'Sky', 'Void'], void: 2, views: ['prediction', 'truth'], sizes: [[2, 2, 1], [2, 2, 3]], heat: Array.from({ length: 256 }, (_, k) => [k, 0, 0]),
  palettes: { labels: [[10, 0, 0], [20, 0, 0], [0, 0, 0]], colorblind: [[1, 1, 1], [2, 2, 2], [3, 3, 3]] },
  errors: { colors: [[1, 0, 0], [2, 0, 0], [3, 0, 0]] }, changes: { colors: [[1, 0, 0], [2, 0, 0], [3, 0, 0], [4, 0, 0]] } }
const FRAME = { index: 0, width: 2, height: 2, pred: Uint8Array.of(0, 1, 0, 1), truth: Uint8Array.of(0, 0, 2, 1), conf: Uint8Array.of(255, 0, 128, 51) }
const colors = (layer, look = {}) => {
  const color = v.painter(layer, FRAME, META, { palette: 'labels', off: new Set(), ...look })
  return [0, 1, 2, 3].map(p => [...new Uint8Array(Uint32Array.of(color(p)).buffer)])
}

test('a palette as numbers: red first, off is transparent', () => {
  const table = new Uint8Array(v.lookup([[1, 2, 3], [4, 5, 6]], id => id === 0).buffer)
  assert.deepEqual([...table.slice(0, 12)], [1, 2, 3, 255, 4, 5, 6, 0, 0, 0, 0, 0])
})

test('layers say what every pixel is', () => {
  assert.deepEqual(colors('pred').map(c => c[0]), [10, 20, 10, 20])
  assert.deepEqual(colors('truth').map(c => c[0]), [10, 10, 0, 20])
  assert.deepEqual(colors('pred', { off: new Set([1]) }).map(c => c[3]), [255, 0, 255, 0])
  assert.deepEqual(colors('pred', { palette: 'colorblind' })[1], [2, 2, 2, 255])
  assert.deepEqual(colors('errors').map(c => c[0]), [1, 2, 3, 1]) // right, wrong, not judged, right
  assert.deepEqual(colors('errors', { off: new Set([0]) }).map(c => c[3]), [0, 255, 255, 255]) // of a pair, one class that is on
  assert.deepEqual(colors('errors', { off: new Set([2]) }).map(c => c[3]), [255, 255, 0, 255])
  assert.deepEqual(colors('confidence').map(c => c[0]), [0, 255, 127, 204])
  assert.equal(v.painter('confidence', { ...FRAME, conf: null }, META, { palette: 'labels', off: new Set() }), null)
  assert.ok(Object.values(v.LAYERS).flat().every(o => ['pred', 'truth', 'right', 'errors', 'confidence', 'changes', 'lit'].includes(o)))
})

test('of one kind of mistake only those pixels are lit', () => {
  assert.deepEqual(colors('lit', { pair: 0 * 3 + 1 }).map(c => c[3]), [0, 255, 0, 0]) // Road taken for Sky
  assert.deepEqual(colors('lit', { pair: 0 * 3 + 0 }).map(c => c[3]), [255, 0, 0, 0]) // void at the third: no Road there
  assert.equal(v.seen({ view: 'truth', pair: 1 }), 'lit')
  assert.equal(v.seen({ view: 'truth', pair: -1 }), 'truth')
})

test('two steps side by side', () => {
  assert.deepEqual(v.viewsOf({ views: ['prediction', 'confidence'] }, 1), ['prediction', 'confidence'])
  assert.deepEqual(v.viewsOf({ views: ['prediction', 'confidence'] }, 2), ['prediction', 'curtain', 'confidence', 'changes'])
  const beside = (view, against, step, truth = true, steps = 3) => v.beside({ view, against, step }, truth, steps)
  assert.deepEqual([beside('curtain', -1, 2), beside('curtain', 1, 2), beside('curtain', -1, 2, false), beside('curtain', -1, 0, false)], [null, 1, 1, 1])
  assert.deepEqual([beside('changes', -1, 2), beside('changes', -1, 0), beside('changes', 0, 2), beside('errors', 0, 2), beside('changes', -1, 0, true, 1)], [1, 1, 0, null, null])
  const two = { ...FRAME, other: Uint8Array.of(1, 0, 1, 1), otherStep: 0, otherName: 'first' } // truth 0 0 void 1, prediction 0 1 0 1
  const paints = (layer, look, frame = two) => {
    const color = v.painter(layer, frame, META, { palette: 'labels', off: new Set(), other: 0, ...look })
    return color && [0, 1, 2, 3].map(p => color(p) & 255)
  }
  assert.deepEqual(paints('changes'), [1, 2, 0, 0]) // mended, broken, void, right both times
  assert.deepEqual(paints('changes', {}, { ...two, other: Uint8Array.of(1, 1, 1, 1) }), [1, 3, 0, 0]) // wrong both times
  assert.deepEqual(paints('changes', {}, { ...two, truth: null }), [4, 4, 4, 0])
  assert.deepEqual(paints('changes', { off: new Set([0, 1]) }), [0, 0, 0, 0])
  assert.equal(paints('changes', { other: 2 }), null) // another step, which is on its way
  assert.deepEqual([paints('right'), paints('right', { other: null })], [[20, 10, 20, 20], [10, 10, 0, 20]])
  assert.equal(v.classSeen(two, { px: 1, py: 0 }, { view: 'curtain', curtain: 0, other: 0 }), 0)
  assert.equal(v.classSeen(two, { px: 0, py: 0 }, { view: 'curtain', curtain: 0, other: null }), 0)
  assert.ok(v.readOut(two, { px: 0, py: 0 }, META, 'labels').some(o => o[1] === 'first' && o[2] === 'Sky'))
})

test('what a saved picture says of its colours', () => {
  const look = { view: 'prediction', pair: -1, other: null, palette: 'labels', off: new Set() }, legend = more => v.legendOf(FRAME, { ...look, ...more }, { ...META,
    errors: { ...META.errors, names: ['right', 'wrong', 'void'] } })
  assert.deepEqual(legend({}), [['rgb(10 0 0)', 'Road'], ['rgb(20 0 0)', 'Sky']])
  assert.deepEqual(legend({ off: new Set([0]) }).map(o => o[1]), ['Sky'])
  assert.deepEqual(legend({ view: 'truth' }).map(o => o[1]), ['Road', 'Sky', 'Void'])
  assert.deepEqual(legend({ view: 'curtain', palette: 'colorblind' }).map(o => o[0]), ['rgb(1 1 1)', 'rgb(2 2 2)', 'rgb(3 3 3)'])
  assert.deepEqual(legend({ view: 'errors' }), [['rgb(1 0 0)', 'right'], ['rgb(2 0 0)', 'wrong'], ['rgb(3 0 0)', 'void']])
  assert.deepEqual(legend({ pair: 1 }).map(o => o[1]), ['Road taken for Sky'])
  assert.deepEqual(legend({ view: 'confidence' }).map(o => o[1]), ['unsure', 'half sure', 'sure'])
})

test('words and swatches go into lines', () => {
  assert.deepEqual(v.wrap(['aaa', 'bb', 'c', 'dddddddd', 'e'], 6, o => o.length), [['aaa', 'bb', 'c'], ['dddddddd'], ['e']])
  assert.deepEqual(v.wrap([], 6, o => o.length), [])
})

test('shares of the classes', () => { assert.deepEqual([...v.shares(FRAME.truth).slice(0, 4)], [.5, .25, .25, 0]) })

// ---- the order of the frames

const ranked = (by, rows, names = ['b', 'a', 'c', 'a']) => {
  const r = new Ranking(names, ['IoU', 'Road'])
  r.sort(by, rows && new Uint8Array(Float32Array.from(rows.flat()).buffer))
  return r
}

test('orders', () => {
  const rows = [[.5, NaN], [.25, .5], [.75, .125], [.25, NaN]]
  assert.deepEqual(ranked('given', rows).order, [0, 1, 2, 3])
  assert.deepEqual(ranked('name', rows).order, [1, 3, 0, 2])
  assert.deepEqual(ranked('worst IoU', rows).order, [1, 3, 0, 2]) // equal ones as given
  assert.deepEqual(ranked('worst Road', rows).order, [2, 1, 0, 3]) // where there is no Road, last
  assert.deepEqual(ranked('worst IoU', null).order, [0, 1, 2, 3])
  assert.deepEqual(['worst IoU', 'given', 'name'].map(v.scoreOf), ['IoU', null, null])
})

test('a score nobody has counted is asked for, and sorts behind those that are known', () => {
  const r = ranked('worst IoU', [[Infinity, 0], [.5, 0], [Infinity, 0], [NaN, 0]])
  assert.deepEqual(r.order, [1, 0, 2, 3])
  assert.equal(r.uncounted, true)
  assert.equal(ranked('worst Road', [[Infinity, 0], [.5, 0], [Infinity, 0], [NaN, 0]]).uncounted, false)
  assert.equal(ranked('given', [[Infinity, 0], [1, 0], [1, 0], [1, 0]]).uncounted, false)
})

test('from frame to frame in that order', () => {
  const r = ranked('worst IoU', [[.5, 0], [.25, 0], [.75, 0], [.125, 0]]) // 3 1 0 2
  assert.equal(r.from(3, 1), 1)
  assert.deepEqual([r.from(3, -1), r.from(2, 1), r.from(0, -Infinity), r.from(0, Infinity)], [3, 2, 3, 2])
  assert.deepEqual(r.around(1), [0, 2, 3])
  assert.equal(r.place.get(0), 2)
  assert.equal(r.cell(2, 'IoU'), .75)
  assert.ok(isNaN(r.cell(2, 'nonsense')))
})

test('most first, whatever the order; a filter leaves some, and a frame that it does not leave has neighbours', () => {
  const r = new Ranking(['a', 'b', 'c', 'd', 'e'], [])
  r.sort('name', null, { most: i => [0, 5, 2, 5, 1][i] })
  assert.deepEqual(r.order, [1, 3, 2, 4, 0])
  r.sort('given', null, { left: i => i % 2 === 1 }) // b and d
  assert.deepEqual([r.order, r.at(3), r.at(2)], [[1, 3], '2 of 2', 'not among 2'])
  assert.deepEqual([r.from(2, 1), r.from(2, -1), r.from(0, 1), r.from(0, -1), r.from(4, 1), r.from(4, -1), r.from(2, Infinity)], [3, 1, 1, 1, 3, 3, 3])
  assert.deepEqual(r.around(2), [])
  r.sort('given', null, { left: () => false })
  assert.deepEqual([r.order, r.from(2, 1), r.from(2, -Infinity), r.uncounted], [[], 2, 2, false]) // one stays where one is
})

// ---- what is counted

// Three frames of two classes and void (2): the first has Road right 6, Road as Sky 2; the second failed; the third has Sky as Void 4, Sky right 1.
const FLAT = Int32Array.of(2, -2, 2, 0, 1, 4, 5, 6, 2, 1, 4)

test('counts of each frame, and of all', () => {
  const c = new v.Counts(FLAT, 3, 3)
  assert.deepEqual([c.counted, c.waiting], [2, false])
  assert.deepEqual([c.at(0, 0), c.at(0, 1), c.at(0, 4), c.at(1, 0), c.at(2, 5)], [6, 2, 0, 0, 4])
  assert.deepEqual([...c.total()], [6, 2, 0, 0, 1, 4, 0, 0, 0])
  assert.deepEqual([c.having(0), c.having(3)], [1, 0])
  assert.deepEqual([c.has(0, 0), c.has(0, 1), c.has(2, 0), c.has(2, 2), c.has(1, 0)], [true, true, false, true, false]) // true or predicted
  assert.equal(new v.Counts(Int32Array.of(-1, 0), 2, 3).waiting, true)
})

test('totals, and the largest confusions', () => {
  const table = new v.Counts(FLAT, 3, 3).total(), t = v.totals(table, 3, 2)
  assert.deepEqual([t.pixels, t.accuracy, t.iou[0], t.iou[1]], [13, 7 / 13, 6 / 8, 1 / 7])
  assert.ok(isNaN(t.iou[2])) // void has none
  assert.equal(t.meanIoU, (6 / 8 + 1 / 7) / 2)
  assert.deepEqual(v.confusions(table, 3, t).map(o => [o.pair, o.pixels, o.share]), [[5, 4, .8], [1, 2, .25]])
  const crowd = Float64Array.of(1, 9, 0, 1, 0, 0, 0, 0, 0) // all of Sky's one pixel is wrong, most of Road's
  assert.deepEqual(v.confusions(crowd, 3, v.totals(crowd, 3, 2), 'pixels').map(o => o.pair), [1, 3])
  assert.deepEqual(v.confusions(crowd, 3, v.totals(crowd, 3, 2), 'share', 1).map(o => o.pair), [3])
  assert.equal(v.pairName(1, ['Road', 'Sky', 'Void']), 'Road taken for Sky')
  assert.equal(v.pairName(4, ['Road', 'Sky', 'Void']), 'Sky found as Sky')
})

test('a filter by name, class and flag', () => {
  const names = ['Street 1.png', 'street 2.png', 'park.png'], counts = new v.Counts(FLAT, 3, 3), none = { name: ' ', present: -1, marked: false, flagged: new Set([2]) }
  const left = wish => [0, 1, 2].filter(v.sieve({ ...none, ...wish }, names, counts))
  assert.equal(v.sieve(none, names, counts), null)
  assert.deepEqual([left({ name: 'STREET' }), left({ present: 1 }), left({ marked: true }), left({ name: 'park', present: 0 })], [[0, 1], [0, 2], [2], []])
  assert.deepEqual([0, 1, 2].filter(v.sieve({ ...none, present: 0 }, names, null)), []) // not counted yet: none is known to have it
  const labels = ['Car', 'Cart', 'Sky', 'Void']
  assert.deepEqual(['', 'car', 'CART', 'sk', 'ca', 'x', 'void'].map(o => v.classNamed(o, labels, 3)), [-1, 0, 1, 2, NaN, NaN, NaN])
})

// ---- geometry

const staged = (w, h, wide) => { const b = new Box(w, h); b.stage(wide); return b }

test('a frame fits, in the middle', () => {
  const b = staged(100, 50, 400)
  assert.deepEqual([b.scale, b.x, b.y, b.high, b.held], [4, 0, 0, 200, false])
  const tall = staged(100, 1000, 400) // no higher than 620
  assert.deepEqual([tall.high, tall.scale, tall.x, tall.y], [620, .62, 169, 0])
  const flat = staged(1000, 10, 400) // no lower than 120
  assert.deepEqual([flat.high, flat.scale, flat.y], [120, .4, 58])
})

test('zoom leaves the point where it is, and stays between fit and 40', () => {
  const b = staged(100, 50, 400), at = b.pixel(80, 60)
  b.zoom(3, 80, 60)
  assert.deepEqual([b.scale, b.held, b.pixel(80, 60)], [12, true, at])
  for (let k = 0; k < 9; k++) b.zoom(1.5, 80, 60)
  assert.deepEqual([b.scale, b.pixel(80, 60)], [40, at])
  b.zoom(.001)
  assert.deepEqual([b.scale, b.held, b.x, b.y], [4, false, 0, 0])
  b.zoom(2)
  b.zoom(0)
  assert.deepEqual([b.scale, b.held], [4, false])
})

test('panning never loses the frame', () => {
  const b = staged(100, 50, 400)
  b.zoom(2)
  b.pan(1000, 1000)
  assert.deepEqual([b.x, b.y], [0, 0])
  b.pan(-1000, -1000)
  assert.deepEqual([b.x, b.y], [-400, -200])
  b.reveal({ px: 10, py: 10 })
  assert.ok(b.inside(b.pixel(b.x + 10.5 * b.scale, b.y + 10.5 * b.scale)))
})

test('a wider stage: zoom is kept as long as it is more than fit', () => {
  const b = staged(100, 50, 400)
  b.zoom(2)
  b.stage(600)
  assert.deepEqual([b.scale, b.fit, b.held], [8, 6, true])
  b.stage(900)
  assert.deepEqual([b.scale, b.held, b.x], [9, false, 0])
})

test('a frame of another size is seen whole', () => {
  const b = staged(100, 50, 400)
  b.zoom(3)
  assert.ok(b.holds(100, 50) && !b.holds(50, 100))
  b.take(50, 100)
  b.stage(400)
  assert.deepEqual([b.scale, b.x, b.held], [6.2, 45, false])
})

test('which pixel, and none beside the frame or the stage', () => {
  const b = staged(50, 100, 400) // 6.2 times, with 45 to the left and to the right
  assert.deepEqual(b.pixel(45, 0), { px: 0, py: 0 })
  assert.deepEqual(b.pixel(354.9, 619.9), { px: 49, py: 99 })
  for (const [x, y] of [[44.9, 10], [355.1, 10], [100, -1], [100, 620]]) assert.equal(b.pixel(x, y), null)
  assert.equal(b.inside({ px: 50, py: 0 }), null)
  assert.deepEqual([b.share(0), b.share(200), b.share(400)], [0, .5, 1])
})

// ---- words

test('a pixel in words', () => {
  assert.deepEqual(v.readOut(FRAME, { px: 1, py: 0 }, META, 'colorblind'), [['chip', 'predicted', 'Sky', 'rgb(2 2 2)'],
    ['chip', 'truth', 'Road', 'rgb(1 1 1)'], ['pv-bad', '✗ wrong'], ['number', 'confidence ', '0%'], ['pv-dim pv-end', 'x 1, y 0']])
  assert.deepEqual(v.readOut(FRAME, { px: 0, py: 1 }, META, 'labels')[2], ['pv-dim', 'not judged'])
  assert.deepEqual(v.readOut(FRAME, { px: 1, py: 1 }, META, 'labels').slice(2, 4), [['pv-ok', '✓ right'], ['number', 'confidence ', '20%']])
  const thin = { ...FRAME, index: 1, truth: null, conf: null } // each pixel stands for three by three
  assert.deepEqual(v.readOut(thin, { px: 1, py: 1 }, META, 'labels').map(w => w[1]), ['predicted', 'x 3, y 3'])
  const alone = { ...META, views: ['truth'] } // nobody predicted: nothing is right or wrong
  assert.deepEqual(v.readOut(FRAME, { px: 1, py: 0 }, alone, 'labels').map(w => w[1]), ['truth', 'x 1, y 0'])
})

test('the class that is seen', () => {
  const at = (view, px, py, curtain = .5) => v.classSeen(FRAME, { px, py }, { view, curtain })
  assert.deepEqual(['prediction', 'errors', 'confidence', 'truth'].map(o => at(o, 1, 0)), [1, 1, 1, 0])
  assert.deepEqual([at('curtain', 0, 1), at('curtain', 1, 0), at('curtain', 1, 0, 1)], [0, 0, 1])
  assert.equal(v.classSeen({ ...FRAME, truth: null }, { px: 1, py: 0 }, { view: 'truth', curtain: 0 }), 1)
})

test('only one class, or all again', () => {
  const off = v.soloed(new Set([0]), 1, 3)
  assert.deepEqual([...off], [0, 2])
  assert.ok(v.isAlone(off, 1, 3) && !v.isAlone(off, 0, 3) && !v.isAlone(new Set([0]), 1, 3))
  assert.deepEqual([...v.soloed(off, 1, 3)], [])
})

test('the strip', () => {
  assert.deepEqual(v.inSight(0, 920, 6), [0, 5])
  assert.deepEqual(v.inSight(92 * 50 + 1, 920, 1000), [50, 60])
  assert.equal(v.scrolledTo(3, 0, 920), 0) // in sight already
  assert.equal(v.scrolledTo(50, 0, 920), 50.5 * 92 - 460) // in the middle
  assert.equal(v.scrolledTo(2, 920, 920), 2.5 * 92 - 460)
})

test('rows of a grid in sight', () => {
  assert.deepEqual(v.inSight(0, 400, 100, 150, 7), [0, 27]) // three rows begin in 400, and one more when half a row is scrolled away
  assert.deepEqual(v.inSight(310, 400, 100, 150, 7), [14, 41])
  assert.deepEqual(v.inSight(0, 400, 5, 150, 7), [0, 4])
  assert.deepEqual(v.inSight(0, 400, 0, 150, 7), [0, -1])
  assert.equal(v.scrolledTo(6, 0, 400, 150, 7), 0)
  assert.equal(v.scrolledTo(21, 0, 400, 150, 7), 3.5 * 150 - 200)
})

// ---- keys

const VIEWS = ['prediction', 'truth', 'curtain']
const key = (k, on = '', shift = false) => v.action(k, shift, on, VIEWS)

test('keys', () => {
  assert.deepEqual(['ArrowLeft', 'ArrowRight', 'Home', 'End'].map(k => key(k)), [['go', -1], ['go', 1], ['go', -Infinity], ['go', Infinity]])
  assert.deepEqual([' ', 'm', 'M', 's', 'S', '?', 'Escape'].map(k => key(k)), [['mask'], ['mask'], ['mask'], ['only'], ['only'], ['help'], ['leave']])
  assert.deepEqual(['a', '/', 'g', 'p', 'w'].map(k => key(k)), [['overview'], ['filter'], ['grid'], ['save'], ['fullscreen']])
  assert.deepEqual([key('ArrowDown', 'thumb'), key('ArrowRight', 'thumb'), key(' ', 'thumb'), key('Enter', 'thumb')], [['row', 1], ['go', 1], null, null])
  assert.deepEqual(['[', ']', '+', '=', '-', '0'].map(k => key(k)), [['fade', -.1], ['fade', .1], ['zoom', 1.5], ['zoom', 1.5], ['zoom', 1 / 1.5], ['zoom', 0]])
  assert.deepEqual(['1', '3'].map(k => key(k)), [['look', 'prediction'], ['look', 'curtain']])
  for (const k of ['4', '9', 'x', 'Tab', 'Enter', 'ArrowUp', 'Shift', 'Dead']) assert.equal(key(k), null, k)
})

test('keys mean what the focus makes of them', () => {
  assert.equal(key('ArrowLeft', 'input'), null)
  assert.equal(key(' ', 'button'), null)
  assert.deepEqual(key('ArrowLeft', 'button'), ['go', -1])
  assert.deepEqual(key('ArrowRight', 'curtain'), ['draw', .02])
  assert.equal(key('ArrowUp', 'curtain'), null)
  assert.deepEqual(key('ArrowUp', 'canvas', true), ['probe', 0, -1])
  assert.deepEqual(key('ArrowRight', 'canvas'), ['go', 1])
  assert.deepEqual(key('ArrowRight', '', true), ['go', 1])
  assert.deepEqual([key('ArrowLeft', 'range'), key('Home', 'range'), key(' ', 'range'), key('f', 'range')], [null, null, ['mask'], ['flag']])
  assert.deepEqual([key('ArrowLeft', 'zoomed'), key('ArrowUp', 'zoomed', true), key('PageDown', 'zoomed')], [['stride', -1, 0], ['probe', 0, -1], ['go', 1]])
  assert.deepEqual([key('ArrowDown', 'class'), key('End', 'class'), key(' ', 'class'), key('s', 'class')], [['walk', 1], ['walk', Infinity], null, ['only']])
})

test('keys among the confusions', () => {
  assert.deepEqual([key('ArrowLeft', 'cell'), key('ArrowDown', 'cell'), key('End', 'cell'), key('Home', 'cell')],
    [['cross', -1, 0], ['cross', 0, 1], ['cross', Infinity, 0], ['cross', -Infinity, 0]])
  assert.equal(key(' ', 'cell'), null) // the button's own
  assert.deepEqual([key('PageDown', 'cell'), key('Escape', 'cell')], [['go', 1], ['leave']])
})

test('long names keep both ends, and a frame is told in words', () => {
  assert.deepEqual(v.halves('Road'), ['Road', ''])
  const long = v.halves('A class of the kitchen, the second drawer')
  assert.equal(long.join(''), 'A class of the kitchen, the second drawer')
  assert.equal(long[1].length, 11)
  assert.equal(v.describe('a.png', 'truth', [.1, .6, .004, .296], ['Sky', 'Road', 'Pole', 'Tree'], 2), 'a.png, truth: Road 60%, Tree 30%')
  assert.equal(v.describe('a.png', 'errors', null, ['Sky']), 'a.png, errors')
})

// ---- the other files

test('loader.js takes the same text in once', async () => {
  const loader = (await load('loader.js')).default, el = {}
  globalThis.rendered = []
  const text = 'globalThis.taken = (globalThis.taken ?? 0) + 1; export const more = 1; export default { render: c => { globalThis.rendered.push(c.el) } }'
  const url = 'data:text/javascript,' + encodeURIComponent(text), make = URL.createObjectURL
  URL.createObjectURL = () => url // node imports no `blob:`
  try { for (let k = 0; k < 3; k++) await loader.render({ model: { get: () => text }, el }) }
  finally { URL.createObjectURL = make }
  assert.deepEqual([globalThis.taken, globalThis.rendered.length], [1, 3])
})

test('explorer.js', async () => {
  const x = await load('explorer.js')
  assert.equal(x.describe({ name: 'up 1', c: 1, h: 3, w: 4 }), 'up 1: 1 map of 3x4')
  assert.equal(x.describe({ name: 'up 1', c: 8, h: 3, w: 4 }), 'up 1: 8 maps of 3x4')
  assert.deepEqual([x.neighbour('ArrowRight', 4, 5), x.neighbour('ArrowUp', 0, 5), x.neighbour('ArrowDown', 1, 5), x.neighbour('a', 1, 5)], [0, 4, 2, null])
  assert.match(x.arrowPath({ x1: 0, y1: 0, x2: 1, y2: 0 }), /^M0 0 L1 0 M0\.912\S* -0\.047\S* L1 0 L0\.912\S* 0\.047\S*$/)
})
