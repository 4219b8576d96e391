// Which transport carries a connection: WebTransport where it comes through, and WebSocket where it does not, found out
// by trying both, the better one first.

import { ifStored } from '../page.ts'
import { discover, type Endpoint } from './discovery.ts'
import type { Connect, Transport } from './transport.ts'
import { webSocket } from './websocket.ts'
import { webTransport } from './webtransport.ts'

/** What a client may connect by: `auto` tries both. */
export type Transports = 'auto' | 'webtransport' | 'websocket'

/** How long WebTransport has for itself, in milliseconds: a handshake over a slow network. */
const HEAD_START = 500
/** The same where WebSocket was the winner not long ago. */
const HEAD_START_AFTER_LOSS = 150
/** How long that is remembered, in milliseconds. */
const MEMORY = 600_000
const KEY = 'hither:websocket'

/** When WebSocket won last, for pages that may not store it. */
let lostAt = 0

/** Connects by one of `transports` to the server that `url` leads to (see `discover`). */
export function connectBy(
  url: URL | undefined,
  certSha256: string | undefined,
  transports: Transports = 'auto',
): Connect {
  return async (signal) => {
    const endpoint = await discover(url, certSha256, signal)
    signal.throwIfAborted()
    if (transports === 'webtransport') return webTransport(endpoint)(signal)
    const isAsked = transports === 'websocket'
    if (!isAsked && globalThis.WebTransport) return race(endpoint, signal)
    return because(isAsked ? 'asked for' : 'unsupported', await webSocket(endpoint)(signal))
  }
}

function race(endpoint: Endpoint, signal: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const attempts = new AbortController()
    const over = attempts.signal
    let reason = 'slower'
    /** Whoever comes first; who comes later is closed. */
    const finish = (transport: Transport): void => {
      if (over.aborted) return transport.close(4000)
      stop()
      remember(transport)
      resolve(transport)
    }
    const stop = (): void => {
      clearTimeout(timer)
      attempts.abort()
    }
    const abort = (): void => {
      stop()
      reject(signal.reason)
    }
    const failures: string[] = []
    const fail = (error: unknown): void => {
      if (failures.push(`${error}`) < 2) return
      stop()
      reject(new Error(failures.join('; ')))
    }
    let begin = (): void => {}
    // An attempt that begins when all is over fails at once.
    new Promise<void>((resolve) => (begin = resolve))
      .then(() => webSocket(endpoint)(over))
      .then((transport) => finish(because(reason, transport)), fail)
    const timer = setTimeout(begin, hasLost() ? HEAD_START_AFTER_LOSS : HEAD_START)
    signal.addEventListener('abort', abort, { signal: over })
    webTransport(endpoint)(over).then(finish, (error: unknown) => {
      reason = `webtransport failed: ${error}`
      fail(error)
      begin()
    })
  })
}

function because(reason: string, transport: Transport): Transport {
  transport.reason = reason
  return transport
}

/** Whether WebSocket was the winner not long ago. */
function hasLost(): boolean {
  lostAt = Number(ifStored(() => localStorage.getItem(KEY)) ?? lostAt)
  return Date.now() - lostAt < MEMORY
}

/** Remembers who has won. */
function remember({ type }: Transport): void {
  lostAt = type === 'websocket' ? Date.now() : 0
  ifStored(() => (lostAt ? localStorage.setItem(KEY, `${lostAt}`) : localStorage.removeItem(KEY)))
}
