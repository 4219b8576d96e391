// The client's end of one connection, sans-IO: what is said and when, apart from how bytes move. It mirrors
// `session::Session` of the Rust crate hither-protocol. Times are milliseconds of one clock that never goes back.

import { putAck } from '../motion/upward.ts'
import { type FrameHeader, FRAME, readFrameHeader } from '../motion/frame.ts'
import { DecodeError, Reader, Writer } from '../wire/bytes.ts'
import {
  controlToClient,
  sayBye,
  sayHello,
  sayJoin,
  sayKept,
  sayLeave,
  sayMotion,
  sayPing,
  sayResumable,
  sayStatus,
  type EventIdMessage,
  type Seen,
  type ToClient,
} from '../wire/control.ts'
import { FrameBuffer } from '../wire/framing.ts'
import { decodeMessage, encodeMessage, type Said } from '../wire/lane.ts'
import type { Fields } from '../wire/msgpack.ts'
import { Liveness } from './liveness.ts'
import { Membership, type MembershipListener } from './membership.ts'

/** Where a session's bytes and news go. */
export interface SessionOutput {
  /** Write these bytes to the control lane. */
  sendControl(bytes: Uint8Array<ArrayBuffer>): void
  /** Send this datagram, or drop it. */
  sendDatagram(bytes: Uint8Array<ArrayBuffer>): void
  /** Write these bytes to the room's edits lane; the first time, open its stream. */
  sendEdits(room: number, bytes: Uint8Array<ArrayBuffer>): void
  /** Finish the room's edits lane, if it was opened. */
  closeEdits(room: number): void
  /** The server took the hello. */
  handleWelcome(welcome: Welcome): void
  /** The server is about to close, or nothing has come from it for 2.5 s. */
  handleEnd(end: End): void
}

/** Who the client would like to be, and how it would like to be talked to. */
export interface Hello {
  readonly token?: string | undefined
  readonly name?: string | undefined
  /** Motion goes over the control lane, where every loss holds up all that follows. */
  readonly reliableMotion?: boolean
  /** The resume token of the session to go on with (rule S1). */
  readonly resumeToken?: string | undefined
}

/** What a welcome says of the session that the connection is of. */
export interface Welcome {
  /** Whether it is the one of the hello's resume token (rule S1). */
  readonly resumed: boolean
  /** What it can be resumed with over another connection; none of a server that resumes none. */
  readonly resumeToken?: string
}

/** Why a connection has ended. */
export interface End {
  /** The code of the server's bye, if it said one. */
  readonly closeCode?: number | undefined
  /** A sentence for the developer. */
  readonly reason: string
  /** When to come back, in milliseconds from now, if the server says so. */
  readonly retryAfterMs?: number | undefined
}

/** What a session counted since it began. */
export interface Counters {
  datagramsIn: number
  datagramsOut: number
  datagramBytesIn: number
  datagramBytesOut: number
  streamBytesIn: number
  streamBytesOut: number
  /** Parts of frames that could not be used, and datagrams that were malformed. */
  motionUnusable: number
}

/** Counters that have counted nothing. */
export function noCounters(): Counters {
  return {
    datagramsIn: 0,
    datagramsOut: 0,
    datagramBytesIn: 0,
    datagramBytesOut: 0,
    streamBytesIn: 0,
    streamBytesOut: 0,
    motionUnusable: 0,
  }
}

/** So many acks wait for company at most. */
const ACKS_MAX = 16

/** A client's session over one connection. Hello is sent at once. */
export class Session {
  readonly counters: Counters = noCounters()
  /** The round trip in milliseconds; NaN before the first. */
  roundTrip: number = NaN
  readonly #output: SessionOutput
  readonly #control = new FrameBuffer()
  readonly #entries = new Map<number, MembershipListener>()
  readonly #rooms = new Map<number, Membership>()
  /** The same rooms: what is done for each datagram walks over this, and makes no iterator. */
  #list: readonly Membership[] = []
  readonly #liveness: Liveness
  readonly #datagram = new Reader()
  readonly #frame: FrameHeader = { room: 0, epochCheck: 0, tick: 0 }
  /** The next datagram, with the acks that wait for company. These and a sample of each room fit one (rule M8). */
  readonly #up = new Writer()
  #acks = 0
  /** When they are due, at the latest. */
  #acksDue = Infinity
  readonly #reliableMotion: boolean
  #requests = 0
  #samples = 0

  constructor(now: number, hello: Hello, output: SessionOutput) {
    this.#output = output
    this.#liveness = new Liveness(now)
    this.#reliableMotion = hello.reliableMotion === true
    this.send(sayHello(hello.token, hello.name, this.#reliableMotion, hello.resumeToken))
  }

  /** When `handleTimeout` has something to do next. */
  get due(): number {
    let due = Math.min(this.#liveness.due, this.#acksDue)
    for (let index = 0; index < this.#list.length; index++) due = Math.min(due, (this.#list[index] as Membership).due)
    return due
  }

  /** Asks to enter a room; the listener hears what comes of it. */
  enter(name: string, presence: Fields, seen: Seen | undefined, listener: MembershipListener): void {
    const request = ++this.#requests
    this.#entries.set(request, listener)
    this.send(sayJoin(request, name, presence, seen))
  }

  /** Asks for events that the server keeps of a room (rule V6); returns the number that the answer repeats. */
  askKept(room: number, before: EventIdMessage | undefined, limit: number): number {
    this.send(sayKept(++this.#requests, room, before, limit))
    return this.#requests
  }

  /** Leaves every room; the connection is closed once this is sent. */
  bye(): void {
    this.send(sayBye(4000))
  }

  /** Says to all rooms whether the user looks: 0 is active, 1 away. */
  setStatus(status: 0 | 1): void {
    this.send(sayStatus(status))
  }

  /** Takes the next bytes of the control lane. Throws `DecodeError` if the server broke the protocol. */
  handleControl(now: number, chunk: Uint8Array): void {
    this.counters.streamBytesIn += chunk.length
    this.#liveness.handleHeard(now)
    this.#control.push(chunk)
    for (let bytes; (bytes = this.#control.pop());) {
      const message = decodeMessage(controlToClient, bytes)
      if (message) this.#handleMessage(now, message)
    }
    this.roundTrip = this.#liveness.roundTrip
  }

  /** Takes the next bytes of a room's edits lane. Throws `DecodeError` if the server broke the protocol. */
  handleEdits(now: number, room: number, chunk: Uint8Array): void {
    this.counters.streamBytesIn += chunk.length
    this.#liveness.handleHeard(now)
    this.#rooms.get(room)?.edits.handleChunk(chunk)
  }

  /** The server has ended a room's edits lane, and the connection is there. */
  handleEditsEnded(now: number, room: number): void {
    this.#rooms.get(room)?.handleEditsEnded(now)
  }

  /** Takes a datagram; its ack goes up when it has company, or is due (rule M7). Never throws. */
  handleDatagram(now: number, bytes: Uint8Array): void {
    this.counters.datagramsIn++
    this.counters.datagramBytesIn += bytes.length
    this.#liveness.handleHeard(now)
    this.#handleMotion(now, bytes)
  }

  /** Does what is due: pings, samples, repeats, acks. */
  handleTimeout(now: number): void {
    const action = this.#liveness.handleTimeout(now)
    // There is never more than one on the way, so its token may be anything.
    if (action === 'ping') this.send(sayPing(0))
    if (action === 'lost') this.#output.handleEnd({ reason: 'the server is silent' })
    this.#flush(now)
  }

  /**
   * Leaves a room. Nothing that is under way from it counts any more, and no ack goes up, which would be taken for one
   * of the next membership; frames of other rooms are repeated.
   */
  leave(room: number): void {
    this.#clearUp()
    this.send(sayLeave(room))
    this.#drop(room)
  }

  /** For memberships: sends a message on the control lane. */
  send(message: Said): void {
    const bytes = encodeMessage(message)
    this.counters.streamBytesOut += bytes.length
    this.#output.sendControl(bytes)
  }

  /** For memberships: sends a message on a room's edits lane. */
  sendEdits(room: number, message: Said): void {
    const bytes = encodeMessage(message)
    this.counters.streamBytesOut += bytes.length
    this.#output.sendEdits(room, bytes)
  }

  #handleMessage(now: number, message: ToClient): void {
    switch (message.type) {
      case 'welcome':
        // From now on the token before is of no use (rule S2).
        if (message.resumeToken !== undefined) this.send(sayResumable())
        return this.#output.handleWelcome(message)
      case 'joined': {
        const listener = this.#entries.get(message.request)
        this.#entries.delete(message.request)
        if (!listener) return
        this.#rooms.set(message.room, new Membership(this, message, listener))
        this.#list = [...this.#rooms.values()]
        if (listener.isLeft) this.leave(message.room)
        return
      }
      case 'roster':
        return this.#rooms.get(message.room)?.handleRoster(message)
      case 'diff':
        return this.#rooms.get(message.room)?.handleDiff(message)
      case 'direct':
        return this.#rooms.get(message.room)?.handleDirect(message)
      case 'kept':
        return this.#rooms.get(message.room)?.listener.handleKept(message)
      case 'left':
        return this.#drop(message.room)?.handleLeft(message.reason)
      case 'error': {
        const { request = -1, room = -1 } = message
        const listener = this.#entries.get(request)
        this.#entries.delete(request)
        return listener ? listener.handleOver('entry', message) : this.#rooms.get(room)?.listener.handleRefused(message)
      }
      case 'pong':
        return this.#liveness.handlePong(now)
      case 'bye':
        return this.#output.handleEnd({ ...message, closeCode: message.code })
      case 'motion':
        return this.#handleMotion(now, message.datagram)
    }
  }

  #drop(handle: number): Membership | undefined {
    const room = this.#rooms.get(handle)
    this.#rooms.delete(handle)
    this.#list = [...this.#rooms.values()]
    this.#output.closeEdits(handle)
    return room
  }

  /** Takes a datagram, wherever it came. */
  #handleMotion(now: number, bytes: Uint8Array): void {
    try {
      this.#handleFrame(now, this.#datagram.reset(bytes))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.counters.motionUnusable++
    }
    this.#flush(now)
  }

  /** Takes the frame that a datagram is. Throws `DecodeError` if the rest of it is of no use. */
  #handleFrame(now: number, reader: Reader): void {
    if (reader.u8() !== FRAME) throw new DecodeError()
    const frame = this.#frame
    readFrameHeader(reader, frame)
    const room = this.#rooms.get(frame.room)
    if (!room) throw new DecodeError()
    const { view } = room
    const due = room.handleFrame(now, frame, reader)
    this.counters.motionUnusable += Number(view.isUnusable)
    // Who heard of the motion may have left.
    if (!view.hasParts || !this.#list.includes(room)) return
    putAck(this.#up, frame.room, frame.tick, view.parts)
    // Many acks mean many frames: they are not kept waiting.
    this.#acksDue = Math.min(this.#acksDue, ++this.#acks < ACKS_MAX ? due : now)
  }

  /** Sends the samples that are due, and all acks with them or if these are due, in one datagram. */
  #flush(now: number): void {
    // At first what calls listeners: they may leave rooms, or set what is flushed at once. A room that is passed over
    // since another is left stays due.
    for (let index = 0; index < this.#list.length; index++) (this.#list[index] as Membership).handleTimeout(now)
    const up = this.#up
    const acksEnd = up.length
    for (let index = 0; index < this.#list.length; index++) {
      const room = this.#list[index] as Membership
      this.#samples = room.mover.pollSample(now, room.handle, this.#samples, up)
    }
    if (up.length === acksEnd && now < this.#acksDue) return
    const bytes = up.take()
    this.#clearUp()
    if (this.#reliableMotion) this.send(sayMotion(bytes))
    else this.#sendDatagram(bytes)
  }

  #clearUp(): void {
    this.#up.clear()
    this.#acks = 0
    this.#acksDue = Infinity
  }

  #sendDatagram(bytes: Uint8Array<ArrayBuffer>): void {
    this.counters.datagramsOut++
    this.counters.datagramBytesOut += bytes.length
    this.#output.sendDatagram(bytes)
  }
}
