// The page of a test: lets a guest in, in the page itself or in a Worker of its own.

import { invite } from './guest.ts'
import type { Knowledge } from './knowledge.ts'

globalThis.admit = (invitation, where) => {
  if (where === 'page') {
    globalThis.order = invite(invitation, tell)
    return
  }
  const worker = new Worker('worker.js', { type: 'module' })
  worker.onmessage = ({ data }: MessageEvent<Knowledge>) => tell(data)
  worker.postMessage(invitation)
  globalThis.order = (command) => worker.postMessage(command)
}
