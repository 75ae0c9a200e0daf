// What the viewers' scripts may use: the browser's names, each listed, so that a misspelt one is found.
const browser = ['window', 'document', 'navigator', 'location', 'console', 'self', 'globalThis', 'performance', 'getComputedStyle', 'matchMedia',
  'requestAnimationFrame', 'cancelAnimationFrame', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'queueMicrotask',
  'fetch', 'Worker', 'Blob', 'File', 'FileReader', 'URL', 'Response', 'Image', 'ImageData', 'ImageBitmap', 'createImageBitmap', 'OffscreenCanvas', 'Path2D',
  'DecompressionStream', 'CompressionStream', 'TextDecoder', 'TextEncoder', 'atob', 'btoa', 'AbortController', 'structuredClone',
  'Event', 'CustomEvent', 'KeyboardEvent', 'PointerEvent', 'MouseEvent', 'Node', 'Element', 'HTMLElement', 'HTMLCanvasElement', 'HTMLInputElement',
  'ResizeObserver', 'IntersectionObserver', 'MutationObserver', 'DOMParser', 'devicePixelRatio', 'localStorage', 'crypto']

const wrong = ['constructor-super', 'for-direction', 'getter-return', 'no-case-declarations', 'no-class-assign', 'no-compare-neg-zero', 'no-cond-assign',
  'no-const-assign', 'no-constant-binary-expression', 'no-dupe-args', 'no-dupe-class-members', 'no-dupe-else-if', 'no-dupe-keys', 'no-duplicate-case',
  'no-ex-assign', 'no-fallthrough', 'no-func-assign', 'no-import-assign', 'no-invalid-regexp', 'no-loss-of-precision', 'no-redeclare', 'no-self-assign',
  'no-setter-return', 'no-shadow-restricted-names', 'no-sparse-arrays', 'no-this-before-super', 'no-undef', 'no-unreachable', 'no-unsafe-finally',
  'no-unsafe-negation', 'no-unsafe-optional-chaining', 'no-unused-vars', 'use-isnan', 'valid-typeof', 'prefer-const', 'no-var']

export default [{
  files: ['**/*.js'],
  linterOptions: {reportUnusedDisableDirectives: 'error'},
  languageOptions: {ecmaVersion: 'latest', sourceType: 'module', globals: Object.fromEntries(browser.map(o => [o, 'readonly']))},
  rules: Object.fromEntries(wrong.map(o => [o, 'error'])),
}]
