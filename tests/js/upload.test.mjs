// What the upload button does without a browser: `node --test tests/js/`.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

const text = await readFile(new URL('../../pixseg/web/upload.js', import.meta.url), 'utf8')
const u = await import('data:text/javascript;base64,' + Buffer.from(text).toString('base64'))

test('the longer side comes down, nothing grows, nothing vanishes', () => {
  assert.deepEqual(u.fitted(4000, 3000, 1280), [1280, 960])
  assert.deepEqual(u.fitted(3000, 4000, 1280), [960, 1280])
  assert.deepEqual(u.fitted(100, 50, 1280), [100, 50])
  assert.deepEqual(u.fitted(100000, 3, 1280), [1280, 1])
})

test('what fits is sent as it is', async () => {
  const { data, seen } = await u.prepared(new Blob(['abc']), 1280)
  assert.deepEqual([data.byteLength, seen], [3, null])
})

test('what is too large and cannot be read is refused in words', async () => {
  const file = Object.assign(new Blob(['x'.repeat(2000)]), { name: 'deep.tif' })
  globalThis.createImageBitmap = async () => { throw new Error('no image') }
  await assert.rejects(u.prepared(file, 1280, 1000), /deep.tif has 0.0 MB, more than .* save it as JPEG or PNG/)
})
