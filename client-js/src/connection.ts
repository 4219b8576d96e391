// One connection in action: moves bytes between a transport and a session, and keeps the one timer. What is said and
// when is the session's to decide; what happens after the end is the client's.

import { report } from './emitter.ts'
import { type End, type Hello, Session, type Welcome } from './session/session.ts'
import type { Transport, TransportHandler, TransportStream } from './transport/transport.ts'
import { DecodeError } from './wire/bytes.ts'

/** Close codes of ours (rule C2). */
const DONE = 4000
const MALFORMED = 4001
/** How long a server has to answer a bye, in milliseconds. */
const BYE_DEADLINE = 1_000

/** A connection from its first byte to its end. */
export class Connection implements TransportHandler {
  readonly session: Session
  /** What carries it. */
  readonly transport: Transport
  readonly #streams = new Map<number, TransportStream>()
  #onEnd: (end: End) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerDue = Infinity
  #ended = false

  /** Says hello. `onEnd` is called once, when the connection ends without `close`. */
  constructor(transport: Transport, hello: Hello, onWelcome: (welcome: Welcome) => void, onEnd: (end: End) => void) {
    this.transport = transport
    this.#onEnd = onEnd
    transport.listen(this)
    const control = transport.openStream((chunk) => this.#take(() => this.session.handleControl(clock(), chunk)))
    this.session = new Session(clock(), hello, {
      sendControl: (bytes) => control.write(bytes),
      sendDatagram: (bytes) => transport.sendDatagram(bytes),
      sendEdits: (room, bytes) => this.#edits(room).write(bytes),
      closeEdits: (room) => {
        this.#streams.get(room)?.finish()
        this.#streams.delete(room)
      },
      handleWelcome: onWelcome,
      handleEnd: (end) => this.#end(end),
    })
    this.wake()
  }

  /** Looks at the session's next time anew: call it after whatever may have moved it. */
  wake(): void {
    if (this.#ended) return
    const due = this.session.due
    const now = clock()
    if (due <= now) {
      this.session.handleTimeout(now)
      return this.wake()
    }
    // A timer that is too early is cheaper than a new one for each move.
    if (due >= this.#timerDue) return
    clearTimeout(this.#timer)
    this.#timerDue = due
    this.#timer = setTimeout(() => {
      this.#timerDue = Infinity
      this.wake()
    }, due - now)
  }

  handleDatagram(bytes: Uint8Array): void {
    if (this.#ended) return
    this.session.handleDatagram(clock(), bytes)
    this.wake()
  }

  /** Says whether the user looks; while it is away no motion comes. */
  setAway(away: boolean): void {
    if (!this.#ended) this.session.setStatus(away ? 1 : 0)
  }

  /** The transport has ended by itself. */
  handleClosed(reason: string, closeCode?: number): void {
    this.#end({ closeCode, reason })
  }

  /** Says bye, and closes once the server has heard it, or after a second. `onEnd` is not called. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended) return resolve()
      this.#onEnd = () => resolve()
      clearTimeout(this.#timer)
      this.#timerDue = -Infinity
      this.#timer = setTimeout(() => this.#end({ reason: '' }), BYE_DEADLINE)
      this.session.bye()
    })
  }

  #edits(room: number): TransportStream {
    const open = this.#streams.get(room)
    if (open) return open
    // What comes late on the lane of an earlier membership is not this one's.
    const take = (action: () => void): void => void (this.#streams.get(room) === stream && this.#take(action))
    const handleChunk = (chunk: Uint8Array): void => take(() => this.session.handleEdits(clock(), room, chunk))
    const stream = this.transport.openStream(handleChunk, room, () =>
      take(() => {
        stream.finish()
        this.#streams.delete(room)
        this.session.handleEditsEnded(clock(), room)
      }),
    )
    this.#streams.set(room, stream)
    return stream
  }

  #take(action: () => void): void {
    if (this.#ended) return
    try {
      action()
    } catch (error) {
      this.#end({ closeCode: MALFORMED, reason: `${error}` })
      if (!(error instanceof DecodeError)) report(error)
    }
    this.wake()
  }

  #end(end: End): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.transport.close(end.closeCode ?? DONE)
    this.#onEnd(end)
  }
}

/** Milliseconds of a clock that never goes back. */
export function clock(): number {
  return performance.now()
}
