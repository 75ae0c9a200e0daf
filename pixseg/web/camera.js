// One picture from the camera, sent to Python as the bytes of a JPEG file. The stream is stopped as soon as the picture
// is taken, the user cancels, or the view goes: a camera light that stays on is a bug.

const WHY = {
  NotAllowedError: 'The browser did not allow the camera: allow it beside the address bar and try again, or upload a file.',
  NotFoundError: 'No camera was found: connect one, or upload a file.',
  NotReadableError: 'The camera is in use by another program: close it and try again.',
}
const INSECURE = 'This page may not use a camera (browsers give it only to https and localhost): upload a file instead.'

function render({ model, el }) {
  const button = text => {
    const b = document.createElement('button')
    b.type = 'button'; b.textContent = text
    b.className = 'lm-Widget jupyter-widgets jupyter-button widget-button' // looks like the buttons beside it
    b.style.width = 'auto'
    return b
  }
  const open = button('camera'), take = button('take the picture'), stop = button('cancel')
  const video = document.createElement('video'), message = document.createElement('div')
  video.autoplay = video.muted = video.playsInline = true
  video.style.cssText = 'display:block; max-width:320px; margin:2px'
  video.setAttribute('aria-label', 'what the camera sees')
  message.setAttribute('role', 'alert')
  message.style.maxWidth = '360px'
  let stream = null

  function show(live) {
    for (const o of [video, take, stop]) o.hidden = !live
    for (const o of [video, take, stop]) o.style.display = live ? '' : 'none' // Jupyter's CSS overrules `hidden`
    open.style.display = live ? 'none' : ''
  }
  function close() {
    stream?.getTracks().forEach(t => t.stop())
    stream = video.srcObject = null
    show(false)
  }
  async function start() {
    message.textContent = ''
    if (!navigator.mediaDevices?.getUserMedia) { message.textContent = INSECURE; return }
    try { stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }) }
    catch (e) { message.textContent = WHY[e.name] ?? `The camera did not start (${e.name}): upload a file instead.`; return }
    if (!el.isConnected) return close() // the view went while the browser was asking
    video.srcObject = stream
    show(true)
    take.focus()
  }
  async function send() {
    const canvas = document.createElement('canvas')
    canvas.width = video.videoWidth; canvas.height = video.videoHeight
    if (!canvas.width) { message.textContent = 'The camera has sent no picture yet: wait a moment.'; return }
    canvas.getContext('2d').drawImage(video, 0, 0)
    const blob = await new Promise(done => canvas.toBlob(done, 'image/jpeg', .95))
    model.send({ kind: 'picture' }, undefined, [await blob.arrayBuffer()])
    close()
    open.focus()
  }

  open.addEventListener('click', start); take.addEventListener('click', send); stop.addEventListener('click', close)
  el.append(open, video, take, stop, message)
  show(false)
  return () => { close(); el.replaceChildren() }
}

export default { render }
