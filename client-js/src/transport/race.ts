// Which transport carries a connection: WebTransport where it comes through, and WebSocket where it does not, found out
// by trying both, the better one first.

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
    if (transports === 'auto') return race(endpoint, signal)
    return because('asked for', await webSocket(endpoint)(signal))
  }
}

function race(endpoint: Endpoint, signal: AbortSignal): Promise<Transport> {
  if (typeof WebTransport === 'undefined') {
    return webSocket(endpoint)(signal).then((transport) => because('unsupported', transport))
  }
  return new Promise((resolve, reject) => {
    const attempts = new AbortController()
    let isOver = false
    let reason = 'slower'
    let hasBegun = false
    /** Whoever comes first; who comes later is closed. */
    const finish = (transport: Transport): void => {
      if (isOver) return transport.close(4000, '')
      stop()
      remember(transport.type === 'websocket')
      resolve(transport)
    }
    const stop = (): void => {
      isOver = true
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      attempts.abort()
    }
    const abort = (): void => {
      stop()
      reject(signal.reason)
    }
    const tryWebSocket = (): void => {
      if (hasBegun || isOver) return
      hasBegun = true
      const attempt = webSocket(endpoint)(attempts.signal)
      attempt.then((transport) => finish(because(reason, transport)), fail)
    }
    const failures: string[] = []
    const fail = (error: unknown): void => {
      if (isOver || failures.push(`${error}`) < 2) return
      stop()
      reject(new Error(failures.join('; ')))
    }
    const timer = setTimeout(tryWebSocket, hasLost() ? HEAD_START_AFTER_LOSS : HEAD_START)
    signal.addEventListener('abort', abort)
    webTransport(endpoint)(attempts.signal).then(finish, (error: unknown) => {
      reason = `webtransport failed: ${error}`
      fail(error)
      tryWebSocket()
    })
  })
}

function because(reason: string, transport: Transport): Transport {
  transport.reason = reason
  return transport
}

/** Whether WebSocket was the winner not long ago. */
function hasLost(): boolean {
  try {
    lostAt = Number(localStorage.getItem(KEY) ?? lostAt)
  } catch {
    // No storage here, or none for us.
  }
  return Date.now() - lostAt < MEMORY
}

function remember(hasWebSocketWon: boolean): void {
  lostAt = hasWebSocketWon ? Date.now() : 0
  try {
    if (hasWebSocketWon) localStorage.setItem(KEY, `${lostAt}`)
    else localStorage.removeItem(KEY)
  } catch {
    // As above.
  }
}
