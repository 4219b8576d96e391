// The transport of pages whose browser or network has no WebTransport: a WebSocket, whose messages are the lanes' own
// (rules W1 to W6).

import { Reader, Writer } from '../wire/bytes.ts'
import { frame, FrameBuffer } from '../wire/framing.ts'
import { MESSAGE_BYTES_MAX } from '../wire/limits.ts'
import type { Endpoint } from './discovery.ts'
import type { Connect, Transport, TransportHandler, TransportStream } from './transport.ts'

const CONTROL = 0
const MOTION = 1
const EDITS = 2

/** What may wait to be sent, in bytes; beyond, the server does not read, and it is over. */
const QUEUE_BYTES_MAX = 4_194_304
/** How many bytes may wait when motion is sent; beyond, it would be old when it leaves. */
const MOTION_QUEUE_BYTES_MAX = 4_096
/** Close codes of ours: what the browser says besides has no meaning here. */
const CODES_FIRST = 4_000
const MALFORMED = 4_001
const TOO_LARGE = 4_004

/** Connects by WebSocket to a server that was found. */
export function webSocket(endpoint: Endpoint): Connect {
  return (signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const socket = new WebSocket(endpoint.ws)
      socket.binaryType = 'arraybuffer'
      // Closing it now fails it, as the browser does when it can't connect; why is only in its console.
      const abort = (): void => socket.close()
      signal.addEventListener('abort', abort)
      socket.onclose = () => reject(new Error(`no WebSocket at ${endpoint.ws}`))
      socket.onopen = () => {
        signal.removeEventListener('abort', abort)
        resolve(new WebSocketTransport(socket))
      }
    })
}

/** An edits lane, until both ends have ended it (rule W3). */
interface Lane {
  readonly receive: (chunk: Uint8Array) => void
  readonly finish: () => void
  readonly onEnd: (() => void) | undefined
}

class WebSocketTransport implements Transport {
  readonly type = 'websocket'
  readonly #socket: WebSocket
  /** Each room's lanes, the oldest first: what comes is that one's. */
  readonly #lanes = new Map<number, Lane[]>()
  #control: ((chunk: Uint8Array) => void) | undefined
  #handler: TransportHandler | undefined

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  listen(handler: TransportHandler): void {
    this.#handler = handler
    this.#socket.onmessage = ({ data }) => this.#handler && this.#receive(data)
    this.#socket.onclose = ({ code, reason }) =>
      this.#end(reason || 'the server has closed', code >= CODES_FIRST ? code : undefined)
  }

  openStream(receive: (chunk: Uint8Array) => void, room?: number, onEnd?: () => void): TransportStream {
    const buffer = new FrameBuffer()
    let isFinished = false
    const finish = (): void => {
      if (!isFinished) this.#send(room)
      isFinished = true
    }
    if (room === undefined) this.#control = receive
    else this.#lanes.set(room, [...(this.#lanes.get(room) ?? []), { receive, finish, onEnd }])
    return {
      write: (bytes) => {
        buffer.push(bytes)
        for (let message; (message = buffer.pop());) this.#send(room, message)
        if (this.#socket.bufferedAmount > QUEUE_BYTES_MAX) this.#end('the server does not read')
      },
      finish,
    }
  }

  sendDatagram(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.bufferedAmount > MOTION_QUEUE_BYTES_MAX) return
    const message = new Uint8Array(bytes.length + 1)
    message[0] = MOTION
    message.set(bytes, 1)
    this.#socket.send(message)
  }

  close(code: number): void {
    this.#handler = undefined
    // A browser throws at any other.
    this.#socket.close(code >= 3000 && code < 5000 ? code : 1000)
  }

  /** Sends a message of the control lane or of a room's; an empty one ends the lane. */
  #send(room: number | undefined, message: Uint8Array = new Uint8Array()): void {
    const writer = new Writer()
    writer.u8(room === undefined ? CONTROL : EDITS)
    if (room !== undefined) writer.varint(room)
    writer.bytes(message)
    this.#socket.send(writer.take())
  }

  #receive(data: unknown): void {
    const message = read(data)
    if (typeof message === 'number') {
      this.#socket.close(message)
      this.#end('the protocol is broken', message)
    } else if (message.lane === MOTION) this.#handler?.handleDatagram(message.rest)
    else if (message.lane === CONTROL) this.#control?.(frame(message.rest))
    else this.#receiveEdits(message.room, message.rest)
  }

  #receiveEdits(room: number, message: Uint8Array): void {
    const lanes = this.#lanes.get(room) ?? []
    if (message.length) return lanes[0]?.receive(frame(message))
    const lane = lanes.shift()
    if (!lanes.length) this.#lanes.delete(room)
    lane?.finish()
    lane?.onEnd?.()
  }

  #end(reason: string, code?: number): void {
    this.#handler?.handleClosed(reason, code)
    this.#handler = undefined
  }
}

/** What a message holds; the code to close with if it is none of ours (rules W2 and W5). */
function read(data: unknown): { lane: number; room: number; rest: Uint8Array } | number {
  if (!(data instanceof ArrayBuffer)) return MALFORMED
  const reader = new Reader(new Uint8Array(data))
  try {
    const lane = reader.u8()
    const room = lane === EDITS ? reader.varint() : 0
    if (lane > EDITS) return MALFORMED
    return reader.left > MESSAGE_BYTES_MAX ? TOO_LARGE : { lane, room, rest: reader.bytes(reader.left) }
  } catch {
    return MALFORMED
  }
}
