// A button for one photograph from disk. What is too large for one message to the kernel is made smaller here first,
// or refused in words: a server that gets too much in one piece drops the connection and says nothing.

export const LIMIT = 8e6 // bytes in one message; Jupyter's server takes 10 MB

// The size that fits: as it is, or its longer side brought down to `side`.
export function fitted(width, height, side) {
  const k = Math.min(1, side / Math.max(width, height))
  return [Math.max(1, Math.round(width * k)), Math.max(1, Math.round(height * k))]
}

const megabytes = n => `${(n / 1e6).toFixed(1)} MB`

// What is sent of a file: its bytes and, if it was made smaller, the size it had; or an error with the reason.
export async function prepared(file, side, limit = LIMIT) {
  if (file.size <= limit) return { data: await file.arrayBuffer(), seen: null }
  let image
  try { image = await createImageBitmap(file) } // upright, as the browser shows it
  catch {
    throw new Error(`${file.name} has ${megabytes(file.size)}, more than the ${megabytes(limit)} that can be sent in one piece, and this browser `
      + 'cannot make it smaller: save it as JPEG or PNG, or give its path in Python')
  }
  try {
    const canvas = document.createElement('canvas')
    ;[canvas.width, canvas.height] = fitted(image.width, image.height, side)
    const g = canvas.getContext('2d')
    g.imageSmoothingQuality = 'high'
    g.drawImage(image, 0, 0, canvas.width, canvas.height)
    for (const quality of [.95, .8, .6]) {
      const blob = await new Promise(done => canvas.toBlob(done, 'image/jpeg', quality))
      if (blob && blob.size <= limit) return { data: await blob.arrayBuffer(), seen: [image.height, image.width] }
    }
    throw new Error(`${file.name} has ${megabytes(file.size)} and stays too large to be sent: make it smaller first`)
  } finally { image.close() }
}

function render({ model, el }) {
  const input = document.createElement('input'), button = document.createElement('button'), message = document.createElement('div')
  input.type = 'file'
  input.accept = model.get('accept')
  input.style.display = 'none'
  button.type = 'button'
  button.textContent = '⇧ upload'
  button.className = 'lm-Widget jupyter-widgets jupyter-button widget-button pixseg-upload' // looks like the buttons beside it
  button.style.width = 'auto'
  message.setAttribute('role', 'alert')
  message.style.maxWidth = '360px'

  function refuse(text) { // marked as the app marks what was not done
    const bold = document.createElement('b')
    bold.textContent = 'Not done: '
    message.replaceChildren(bold, text)
    message.style.cssText += ';border-left:4px solid #d6336c;padding-left:.6em'
  }

  async function send() {
    const [file] = input.files
    if (!file) return
    input.value = '' // the same file again is news
    message.replaceChildren()
    message.style.borderLeft = ''
    button.disabled = true
    try {
      const { data, seen } = await prepared(file, model.get('side'), model.get('limit'))
      model.send({ kind: 'file', name: file.name, seen }, undefined, [data])
    } catch (e) { refuse(e.message) }
    button.disabled = false
  }
  button.addEventListener('click', () => input.click())
  input.addEventListener('change', send)
  el.append(input, button, message)
  return () => el.replaceChildren()
}

export default { render }
