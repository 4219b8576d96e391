// A server without a network for tests of the client: it reads what the client says, and says what the test tells it.

import { FrameBuffer } from '../wire/framing.ts'
import { controlToClient, type MemberMessage, type ToClient } from '../wire/control.ts'
import { editsToClient, type EditsToClient } from '../wire/edits.ts'
import { decodeMessage } from '../wire/lane.ts'
import type { Connect, TransportHandler } from '../transport/transport.ts'
import { openAxes } from './frames.ts'
import { controlToServer, editsToServer, type EditsToServer, encodeAs, type ToServer } from './to-server.ts'

/** One connection as the server sees it. */
export class FakeConnection {
  /** What came on the control lane and was not taken yet. */
  readonly control: ToServer[] = []
  /** What came on edits lanes, in the order in which they were opened. */
  readonly edits: EditsToServer[][] = []
  /** Edits lanes that the client has finished, in that order, numbered like `edits`. */
  readonly finished: number[] = []
  /** Datagrams that came. */
  readonly datagrams: Uint8Array[] = []
  /** The code with which the client closed. */
  closed: number | undefined
  #handler: TransportHandler | undefined
  readonly #receivers: ((chunk: Uint8Array) => void)[] = []
  readonly #enders: ((() => void) | undefined)[] = []
  /** The rooms that were asked for, by request, and those that the client is in, by handle. */
  readonly #asked = new Map<number, string>()
  readonly #rooms = new Map<number, string>()
  /** Requests for a room that was asked for, or entered, when they came. */
  #again: { request: number; room: string }[] = []

  /** Takes the first message of this type that came; fails if there is none. */
  take<K extends ToServer['type']>(type: K): Extract<ToServer, { type: K }> {
    const index = this.control.findIndex((message) => message.type === type)
    if (index < 0) throw new Error(`no ${type} among ${JSON.stringify(this.control)}`)
    return this.control.splice(index, 1)[0] as Extract<ToServer, { type: K }>
  }

  /** Says something on the control lane. */
  say(message: ToClient): void {
    if (message.type === 'joined') this.#rooms.set(message.room, this.#asked.get(message.request) ?? '')
    if (message.type === 'joined' || message.type === 'error') this.#asked.delete(message.request ?? 0)
    if (message.type === 'left') this.#rooms.delete(message.room)
    this.receive(0, encodeAs(controlToClient, message))
  }

  /** Says something on the edits lane that was opened first, or `lane` lanes later. */
  sayEdits(message: EditsToClient, lane = 0): void {
    this.receive(lane + 1, encodeAs(editsToClient, message))
  }

  /** Ends the edits lane that was opened first, or `lane` lanes later. */
  endEdits(lane = 0): void {
    this.#enders[lane + 1]?.()
  }

  /** Sends bytes on a stream as they are. */
  receive(stream: number, bytes: Uint8Array): void {
    this.#receivers[stream]?.(bytes)
  }

  sendDatagram(bytes: Uint8Array): void {
    this.#handler?.handleDatagram(bytes)
  }

  /** The connection ends without a word. */
  die(reason = 'the network is gone'): void {
    this.#handler?.handleClosed(reason)
  }

  /** Lets the client in: welcome, and for each join that waits joined and a roster of it and `others`. */
  welcome(
    room = 7,
    others: readonly MemberMessage[] = [],
    said: Partial<Extract<ToClient, { type: 'welcome' }>> = {},
  ): void {
    this.take('hello')
    this.say({ type: 'welcome', version: 1, user: { id: 'me', name: 'Me' }, time: 1, resumed: false, ...said })
    while (this.control.some(({ type }) => type === 'join')) this.admit(room++, others)
  }

  /** Answers the next join, and those of the same room that came before its answer. The client is in slot 0. */
  admit(
    room = 7,
    others: readonly MemberMessage[] = [],
    joined: Partial<Extract<ToClient, { type: 'joined' }>> = {},
  ): void {
    const { request, presence = {}, room: name } = this.take('join')
    const self: MemberMessage = { slot: 0, generation: 3, user: { id: 'me', name: 'Me' }, presence, status: 0 }
    this.say({
      type: 'joined',
      request,
      room,
      epoch: 1025,
      slot: 0,
      generation: 3,
      tick: 10,
      rights: 31,
      motion: { hz: 20, axes: openAxes(2) },
      eventLast: 0,
      events: [],
      eventsLost: false,
      resumed: false,
      ...joined,
    })
    this.say({ type: 'roster', room, tick: 10, members: [self, ...others], more: false })
    const again = this.#again.filter((join) => join.room === name)
    this.#again = this.#again.filter((join) => join.room !== name)
    for (const { request } of again) this.say({ type: 'error', request, code: 8, message: 'already joined' })
  }

  /** The transport that the client gets. */
  transport(): Awaited<ReturnType<Connect>> {
    return {
      type: 'memory',
      listen: (handler) => {
        this.#handler = handler
      },
      openStream: (receive, _room, onEnd) => {
        const buffer = new FrameBuffer()
        this.#enders.push(onEnd)
        const stream = this.#receivers.push(receive) - 1
        return {
          write: (bytes) => {
            buffer.push(bytes)
            for (let message; (message = buffer.pop());) this.#handleMessage(stream, message)
          },
          finish: () => void this.finished.push(stream - 1),
        }
      },
      sendDatagram: (bytes) => void this.datagrams.push(bytes),
      close: (code) => void (this.closed ??= code),
    }
  }

  #handleMessage(stream: number, bytes: Uint8Array): void {
    if (stream === 0) this.#handleControl(decodeMessage(controlToServer, bytes) as ToServer)
    else (this.edits[stream - 1] ??= []).push(decodeMessage(editsToServer, bytes) as EditsToServer)
  }

  #handleControl(message: ToServer): void {
    if (message.type === 'leave') this.#rooms.delete(message.room)
    if (message.type === 'join') {
      const { request, room } = message
      // What was asked for in this order is answered in this order, whenever the test says the answers (rule R2).
      if ([...this.#asked.values(), ...this.#rooms.values()].includes(room)) return void this.#again.push(message)
      this.#asked.set(request, room)
    }
    this.control.push(message)
  }
}

/** A server that takes every connection. */
export class FakeServer {
  /** All that were made, in order. */
  readonly connections: FakeConnection[] = []
  /** Refuses connections while it is set. */
  refusal: string | undefined

  readonly connect: Connect = async () => {
    if (this.refusal) throw new Error(this.refusal)
    const connection = new FakeConnection()
    this.connections.push(connection)
    return connection.transport()
  }

  /** The newest connection; fails if there is none. */
  get newest(): FakeConnection {
    const connection = this.connections.at(-1)
    if (!connection) throw new Error('nobody has connected')
    return connection
  }
}
