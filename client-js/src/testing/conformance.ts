// Runs a script of protocol/vectors/conformance.json against the whole client: a transport that does what the script
// says, time that passes when it says so, and an application that does and hears what stands there.

import { type Client, createClient } from '../client.ts'
import type { Room } from '../room.ts'
import type { Transport, TransportHandler } from '../transport/transport.ts'
import { FrameBuffer } from '../wire/framing.ts'
import { encodeMessage } from '../wire/lane.ts'
import { decodeValue, type Fields } from '../wire/msgpack.ts'
import { Reader } from '../wire/bytes.ts'
import { pass } from './time.ts'
import { vectors } from './vectors.ts'

/** A script: what `auth` gives, if there is one, and what happens. This client has all that a script may need. */
export interface Script {
  name: string
  tokens?: string[]
  steps: Step[]
}

/** A step, told by the one key of it that is in the README's table. */
export type Step = { [key: string]: unknown }

/** The steps that say more than one thing. */
const ACTS = ['do', 'expect', 'say']

interface Said {
  name: string
  body: Fields
}

interface Vector {
  message: string
  kind: number
}

type Lanes = { to_server: Vector[]; to_client: Vector[] }
const control = vectors<Lanes>('control.json')
const edits = vectors<Lanes>('edits.json')

function nameOf(lane: Lanes, kind: unknown): string {
  return lane.to_server.find((vector) => vector.kind === kind)?.message ?? `kind ${kind}`
}

/** One connection as the server has it. */
class Wire {
  /** What came and was not taken yet, without pings. */
  readonly said: Said[] = []
  isClosed = false
  #handler: TransportHandler | undefined
  /** The receiving ends of the client's streams: the control lane, and then one for each document. */
  readonly #receivers: ((chunk: Uint8Array) => void)[] = []

  readonly transport: Transport = {
    type: 'script',
    listen: (handler) => void (this.#handler = handler),
    openStream: (receive) => {
      const lane = this.#receivers.push(receive) === 1 ? control : edits
      const buffer = new FrameBuffer()
      const take = (bytes: Uint8Array): void => {
        const [kind, body] = decodeValue(new Reader(bytes)) as [number, Fields]
        this.#handle({ name: nameOf(lane, kind), body })
      }
      return {
        write: (bytes) => {
          buffer.push(bytes)
          for (let message; (message = buffer.pop());) take(message)
        },
        finish: () => {},
      }
    },
    sendDatagram: () => {},
    close: () => void (this.isClosed = true),
  }

  say(name: string, body: object): void {
    const found = control.to_client.find(({ message }) => message === name)
    const { kind } = found ?? (edits.to_client.find(({ message }) => message === name) as Vector)
    this.#receivers.at(found ? 0 : -1)?.(encodeMessage([kind, body]))
  }

  end(): void {
    this.#handler?.handleClosed('the script ends it')
  }

  #handle({ name, body }: Said): void {
    if (name === 'ping') this.say('pong', { t: body['t'], s: 1_000 })
    else this.said.push({ name, body })
  }
}

/** What is done, and what is then, for a test to compare. */
export interface Outcome {
  is: unknown
  wanted: unknown
}

/** A client, its server, and what its application heard. */
export class Run {
  readonly #client: Client
  readonly #wires: Wire[] = []
  readonly #page: EventTarget
  #attempt: { resolve: (transport: Transport) => void; reject: (error: Error) => void } | undefined
  #room: Room | undefined
  #leave: (() => void) | undefined
  #request: unknown
  #changes: unknown[] = []
  #events: string[] = []
  #eventsLost = false
  #resumed: boolean | undefined

  /** `page` is where the client hears that it is online. */
  constructor({ tokens }: Script, page: EventTarget) {
    const left = [...(tokens ?? [])]
    this.#page = page
    this.#client = createClient({
      ...(tokens && { auth: () => ({ token: left.shift() ?? 'none is left' }) }),
      connect: () => new Promise((resolve, reject) => (this.#attempt = { resolve, reject })),
    })
  }

  /** Does a step, and says what is and what was to be. */
  async step(step: Step): Promise<Outcome> {
    const [wanted, is] = await this.#do(step)
    await pass()
    return { wanted, is }
  }

  /** What the script has not asked about: nothing, if it is whole. */
  get rest(): unknown[] {
    return [...this.#wires.flatMap(({ said }) => said), ...this.#changes]
  }

  async #do(step: Step): Promise<[wanted: unknown, is: unknown]> {
    const wire = this.#wires.at(-1)
    const key = ACTS.find((key) => key in step) ?? String(Object.keys(step)[0])
    const value = step[key]
    switch (key) {
      case 'do':
        return [undefined, this.#act(step)]
      case 'connect':
        return [value !== 'none', this.#answer(String(value))]
      case 'expect':
        return [{ name: value, body: step['body'] }, this.#take(wire, value)]
      case 'say':
        return [undefined, wire?.say(String(value), this.#withRequest(value, step['body'] as object))]
      case 'close':
        return [undefined, wire?.end()]
      case 'pass':
        return [undefined, await pass(Number(value))]
      default:
        return [value, this.#look(key)]
    }
  }

  #answer(how: string): boolean {
    const attempt = this.#attempt
    if (how === 'none' || !attempt) return attempt !== undefined
    this.#attempt = undefined
    if (how === 'fail') attempt.reject(new Error('the script has it fail'))
    if (how === 'accept') attempt.resolve((this.#wires[this.#wires.push(new Wire()) - 1] as Wire).transport)
    return true
  }

  #take(wire: Wire | undefined, name: unknown): unknown {
    const index = wire?.said.findIndex((said) => said.name === name) ?? -1
    if (!wire || index < 0) return wire?.said
    const { body } = wire.said.splice(index, 1)[0] as Said
    // The number of a request and the id of an editor are the client's own.
    const { i, e, ...rest } = body
    if (name === 'open') return { name, body: { ...rest } }
    if (name !== 'join') return { name, body }
    this.#request = i
    return { name, body: e === undefined ? rest : { ...rest, e } }
  }

  #withRequest(name: unknown, body: object): object {
    return name === 'joined' || name === 'error' ? { ...body, i: this.#request } : body
  }

  #look(key: string): unknown {
    const others = this.#room?.getOthers() ?? []
    const records: Record<string, unknown> = {}
    switch (key) {
      case 'status':
        return this.#client.getStatus()
      case 'closed':
        return this.#wires.at(-1)?.isClosed
      case 'lost_connection':
        return this.#changes.shift()
      case 'resumed':
        return this.#resumed
      case 'events':
        return this.#events.splice(0)
      case 'events_lost':
        return [this.#eventsLost, (this.#eventsLost = false)][0]
      case 'records':
        this.#room?.records.forEach((fields, id) => (records[id] = fields))
        return records
      case 'others':
        return others.map(({ connectionId, presence: p }) => ({
          s: connectionId % 4_096,
          g: Math.floor(connectionId / 4_096),
          ...(Object.keys(p).length && { p }),
        }))
    }
    throw new Error(`${key} is no step`)
  }

  #act(step: Step): void {
    const room = this.#room as Room
    switch (step['do']) {
      case 'enter':
        return this.#enter(String(step['room']), step['presence'] as Fields | undefined)
      case 'leave':
        return void this.#leave?.()
      case 'presence':
        return room.updatePresence(step['patch'] as Fields)
      case 'broadcast':
        return room.broadcast(String(step['name']), step['data'] as null)
      case 'put':
        return void room.records.put(String(step['record']), step['fields'] as Fields)
      case 'open':
        return void room.records.subscribe(() => {})
      case 'viewport': {
        const { l, t, r, b } = step['viewport'] as { [side: string]: number }
        return room.setViewport({ left: l as number, top: t as number, right: r as number, bottom: b as number })
      }
      case 'follow':
        return room.follow(
          room.getOthers().find(({ connectionId }) => connectionId % 4_096 === step['slot'])!.connectionId,
        )
      case 'nudge':
        return void this.#page.dispatchEvent(new Event('online'))
    }
    throw new Error(`${step['do']} is nothing to do`)
  }

  #enter(name: string, presence: Fields | undefined): void {
    const { room, leave } = this.#client.enterRoom(name, presence && { initialPresence: presence })
    this.#room = room
    this.#leave = leave
    room.subscribe('status', (status, resumed) => status === 'connected' && (this.#resumed = resumed))
    room.subscribe('lost-connection', (change) => this.#changes.push(change))
    room.subscribe('event', (event) => this.#events.push((event as { name: string }).name))
    room.subscribe('resync', () => (this.#eventsLost = true))
  }
}
