// The TypeScript end of tests/differential: a Node program that runs sessions on the time and the bytes that the Rust
// test gives it, a line of JSON for each step, and says what each has sent, told and knows.

import { createInterface } from 'node:readline'
import { Edits, type Editor } from '../edits/edits.ts'
import type { Membership, MembershipListener } from '../session/membership.ts'
import { type Hello, Session } from '../session/session.ts'
import { DecodeError } from '../wire/bytes.ts'
import { controlToClient, type MemberMessage, type Seen, type Viewport } from '../wire/control.ts'
import { editsToClient, type Op } from '../wire/edits.ts'
import { decodeMessage } from '../wire/lane.ts'
import type { Fields, Value } from '../wire/msgpack.ts'
import { plain } from './plain.ts'
import { keys, shortened } from './shortened.ts'
import { fromHex, toHex } from './vectors.ts'

/** What Rust wants done; bytes are hex, users' values as `plain` makes them, times milliseconds. */
type Step =
  | { do: 'connect'; hello: Hello; editor: string }
  | { do: 'control'; bytes: string }
  | { do: 'edits'; room: number; bytes: string }
  | { do: 'datagram'; bytes: string }
  | { do: 'timeout' }
  | { do: 'enter'; name: string; presence: unknown; seen?: Seen }
  | { do: 'leave'; room: number }
  | { do: 'presence'; room: number; patch: unknown }
  | { do: 'event'; room: number; name: string; data: unknown; to: number[] }
  | { do: 'status'; status: 0 | 1 }
  | { do: 'motion'; room: number; position: [number, number, number, number] }
  | { do: 'viewport'; room: number; viewport: Viewport | null; follow?: number }
  | { do: 'open'; room: number }
  | { do: 'submit'; room: number; ops: (Omit<Op, 'fields'> & { fields: unknown })[] }
  | { do: 'undo' | 'redo' | 'group' | 'ungroup'; room: number }
  | { do: 'bye' }

/** Messages without their length, to be read. */
interface Judge {
  do: 'judge'
  lane: keyof typeof lanes
  messages: string[]
}

const lanes = {
  control: (bytes: Uint8Array) => decodeMessage(controlToClient, bytes),
  edits: (bytes: Uint8Array) => decodeMessage(editsToClient, bytes),
}

/** What Rust says of a membership that ends without a reason before its roster is whole. */
const ROOM_CLOSED = 10

/** A member that was shown to have moved. */
interface Moved {
  room: number
  slot: number
  position: number[]
}

/** A client with a connection. */
class Client {
  readonly #session: Session
  readonly #rooms = new Map<number, Membership>()
  readonly #lanes = new Set<number>()
  /** The documents of rooms, and who numbers their edits. */
  readonly #edits = new WeakMap<Membership, Edits>()
  readonly #editor: Editor
  #now: number
  #requests = 0
  #roundTrip = NaN
  #sent: unknown[] = []
  #news: unknown[] = []
  #moved = new Map<string, Moved>()

  constructor(now: number, hello: Hello, editor: string) {
    this.#now = now
    this.#editor = { id: fromHex(editor), last: 0 }
    this.#session = new Session(now, hello, {
      sendControl: (bytes) => this.#sent.push(['control', toHex(bytes)]),
      sendDatagram: (bytes) => this.#sent.push(['datagram', toHex(bytes)]),
      sendEdits: (room, bytes) => {
        this.#lanes.add(room)
        this.#sent.push(['edits', toHex(bytes), room])
      },
      closeEdits: (room) => void (this.#lanes.delete(room) && this.#sent.push(['close', '', room])),
      handleWelcome: ({ resumed, resumeToken }) => this.#news.push(['welcome', resumed, resumeToken ?? null]),
      handleEnd: ({ closeCode, reason, retryAfterMs }) =>
        this.#news.push(['bye', closeCode ?? null, reason, retryAfterMs ?? null]),
    })
  }

  /** Does a step, and what is due after it. */
  handle(now: number, step: Step): unknown {
    let broken = false
    this.#now = now
    try {
      this.#do(now, step)
      // The round trip that a pong has brought counts for what is due after all that was due before.
      const { roundTrip } = this.#session
      this.#session.roundTrip = this.#roundTrip
      this.#doDue(now)
      this.#session.roundTrip = this.#roundTrip = roundTrip
      this.#doDue(now)
    } catch (thrown) {
      if (!(thrown instanceof DecodeError)) throw thrown
      broken = true
    }
    const answer = {
      broken,
      sent: this.#sent,
      news: this.#news,
      moved: Object.fromEntries(
        [...this.#moved]
          .filter(([, { room, slot }]) => this.#rooms.get(room)?.members.has(slot))
          .map(([key, { position }]) => [key, position]),
      ),
      due: this.#session.due,
      unusable: this.#session.counters.motionUnusable,
      roundTrip: this.#roundTrip,
      rooms: [...this.#rooms.values()]
        .sort((a, b) => a.handle - b.handle)
        .map((one) => room(one, this.#edits.get(one))),
      own: [...this.#rooms.values()].map(({ handle, slot, members }) => [
        handle,
        plain(members.get(slot)?.presence ?? {}),
      ]),
    }
    this.#sent = []
    this.#news = []
    this.#moved = new Map()
    return answer
  }

  #doDue(now: number): void {
    while (this.#session.due <= now) this.#session.handleTimeout(now)
  }

  #do(now: number, step: Step): void {
    const session = this.#session
    switch (step.do) {
      case 'connect':
      case 'timeout':
        return
      case 'control':
        return session.handleControl(now, fromHex(step.bytes))
      case 'edits':
        return session.handleEdits(now, step.room, fromHex(step.bytes))
      case 'datagram':
        return session.handleDatagram(now, fromHex(step.bytes))
      case 'enter':
        return session.enter(step.name, fields(step.presence), step.seen, this.#listener(++this.#requests))
      case 'leave':
        this.#room(step.room).leave()
        this.#rooms.delete(step.room)
        return
      case 'presence':
        return this.#room(step.room).updatePresence(now, fields(step.patch))
      case 'event':
        return this.#room(step.room).broadcast(step.name, value(step.data), step.to)
      case 'status':
        return session.setStatus(step.status)
      case 'motion':
        return this.#room(step.room).setMotion(now, ...step.position)
      case 'viewport':
        return this.#room(step.room).setViewport(now, step.viewport, step.follow)
      case 'open':
        return this.#open(step.room)
      case 'submit':
        return this.#submit(step.room, step.ops)
      case 'undo':
      case 'redo':
        return void this.#document(step.room).go(now, step.do)
      case 'group':
        return this.#document(step.room).undo.beginGroup()
      case 'ungroup':
        return this.#document(step.room).undo.endGroup()
      case 'bye':
        return session.bye()
    }
  }

  #open(room: number): void {
    this.#document(room).open(this.#now, this.#room(room).edits)
  }

  #submit(room: number, ops: Extract<Step, { do: 'submit' }>['ops']): void {
    this.#open(room)
    const all = ops.map((op) => ({ ...op, fields: fields(op.fields) }))
    this.#document(room).submit(this.#now, ++this.#editor.last, all)
  }

  #document(room: number): Edits {
    const edits = this.#edits.get(this.#room(room))
    if (!edits) throw new Error(`room ${room} has no document`)
    return edits
  }

  #room(handle: number): Membership {
    const room = this.#rooms.get(handle)
    if (!room) throw new Error(`this client is not in room ${handle}`)
    return room
  }

  #listener(request: number): MembershipListener {
    let entered: Membership | undefined
    const tell = (...news: unknown[]): void => void this.#news.push([...news, entered?.handle ?? null])
    const edits = new Edits(this.#editor, {
      handleChanged: (ids) => tell('changed', [...ids].sort()),
      handleAck: (number, sequence) => tell('ack', number, sequence),
      handleReject: (number, reason) => tell('reject', number, reason?.code ?? null, reason?.retryAfterMs ?? null),
      handlePending: () => {},
    })
    return {
      isLeft: false,
      handleEntered: (membership, eventsLost) => {
        entered = membership
        this.#rooms.set(membership.handle, membership)
        this.#edits.set(membership, edits)
        tell('entered', request, membership.resumed, eventsLost)
      },
      handleRefused: ({ code, retryAfterMs }) => tell('refused', null, code, retryAfterMs ?? null),
      handleOver: (type, refusal) => {
        if (type === 'entry') tell('refused', request, refusal?.code ?? ROOM_CLOSED, refusal?.retryAfterMs ?? null)
        else tell('left', refusal?.code ?? null)
        if (!entered) return
        this.#rooms.delete(entered.handle)
      },
      handleMembers: (changes) => {
        for (const { type, member } of changes) if (member.slot !== entered?.slot) tell(type, member.slot)
      },
      handleEvent: ({ from, name, data, time }) => tell('event', from, name, plain(data), time),
      handleReturned: () => {},
      handleKept: () => {},
      handleEventsLost: () => tell('events lost'),
      cursors: {
        handleMotion: ({ slot }, _tick, position) => {
          if (!entered) return
          const { handle } = entered
          this.#moved.set(`${handle} ${slot}`, { room: handle, slot, position: [...position] })
        },
        handleVanished: ({ slot }) => void this.#moved.delete(`${entered?.handle} ${slot}`),
        handleEcho: () => {},
      },
      records: {
        handleLane: (lane) => {
          edits.close()
          if (lane) edits.open(this.#now, lane)
        },
        handleMessage: (lane, message) => {
          const { confirmed } = edits
          edits.handleMessage(this.#now, lane, message)
          if (edits.confirmed !== confirmed) tell('loaded')
        },
      },
    }
  }
}

/** All that a room shows. */
function room(room: Membership, edits: Edits | undefined): unknown {
  const { handle, slot, generation, canWrite, tickHz, seen, view } = room
  const members = [...room.members.values()].sort((a, b) => a.slot - b.slot)
  const axes = view.axes.map(({ step, min, max, wraps }) => [plain(step), min, max, wraps])
  const position = new Int32Array(axes.length)
  return {
    format: [handle, slot, generation, canWrite, tickHz, axes],
    seen: [seen.epoch, seen.number],
    members: members.map((one) => member(one, one.slot === slot)),
    positions: members.flatMap(({ slot, generation }) =>
      view.read(slot, generation, position) >= 0 ? [[slot, ...position]] : [],
    ),
    records: edits?.confirmed
      ? Object.fromEntries(
          [...edits.confirmed.records].map(([id, { version, fields }]) => [id, [version, plain(fields)]]),
        )
      : null,
    shown: edits && Object.fromEntries(shown(edits)),
    unanswered: edits?.pendingCount ?? 0,
  }
}

function shown(edits: Edits): [id: string, fields: unknown][] {
  const all: [id: string, fields: unknown][] = []
  edits.forEach((fields, id) => all.push([id, plain(fields)]))
  return all
}

function member({ slot, generation, user, presence, status }: MemberMessage, isOwn: boolean): unknown {
  // The own presence is the application's, which patches it before the server has heard of it.
  return [slot, generation, user.id, user.name ?? null, isOwn ? null : plain(presence), status]
}

/** What comes of messages: each with its kind and the short keys again, `skipped` for a later version's, `refused`. */
function judge(lane: keyof typeof lanes, messages: string[]): unknown[] {
  return messages.map((bytes) => {
    try {
      const message = lanes[lane](fromHex(bytes))
      return message ? shortened(message, keys[lane][message.type]) : 'skipped'
    } catch (thrown) {
      if (!(thrown instanceof DecodeError)) throw thrown
      return 'refused'
    }
  })
}

/** The value that `plain` made this of. */
function value(json: unknown): Value {
  if (Array.isArray(json)) return json.map(value)
  if (typeof json !== 'object' || json === null) return json as Value
  if ('$bin' in json) return fromHex(String(json.$bin))
  if ('$f64' in json) return Buffer.from(String(json.$f64), 'hex').readDoubleBE()
  return fields(json)
}

function fields(json: unknown): Fields {
  return Object.fromEntries(Object.entries(json as object).map(([key, field]) => [key, value(field)]))
}

let client: Client | undefined

function answer(question: Judge | (Step & { now: number })): unknown {
  if (question.do === 'judge') return judge(question.lane, question.messages)
  if (question.do === 'connect') client = new Client(question.now, question.hello, question.editor)
  return client?.handle(question.now, question)
}

for await (const line of createInterface({ input: process.stdin })) {
  let text: string
  try {
    text = JSON.stringify(answer(JSON.parse(line)))
  } catch (thrown) {
    text = JSON.stringify({ thrown: thrown instanceof Error ? thrown.stack : String(thrown) })
  }
  process.stdout.write(`${text}\n`)
}
