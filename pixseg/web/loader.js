// One copy of viewer.js for a whole page, however often a cell is run.
//
// A browser never lets go of a module it has imported, and a notebook imports a widget's code anew for every widget.
// So the code that every widget brings along is only this page; the viewer itself comes as text in the state `_js`,
// and is imported the first time that this text is seen.

const loaded = globalThis.pixsegLoaded ??= new Map() // text -> promise of its module

function load(text) {
  if (!loaded.has(text)) {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }))
    loaded.set(text, import(/* webpackIgnore: true */ url).finally(() => URL.revokeObjectURL(url)))
  }
  return loaded.get(text)
}

export default { render: async context => (await load(context.model.get('_js'))).default.render(context) }
