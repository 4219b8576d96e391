// Many clients of one document, with edits, rejects, batches, undo and redo, and connections that come and go at any
// moment: in the end all see the same, which is what the server has, and until then each is told of what it sees.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EditsServer, ServedLane } from '../testing/edits-server.ts'
import type { Op } from '../wire/edits.ts'
import type { Fields } from '../wire/msgpack.ts'
import { Edits, type EditsListener } from './edits.ts'
import type { Resolve } from './pending.ts'

const CLIENTS = 3

/** A client, what it was told, and what it made of that. */
class Client implements EditsListener {
  readonly edits: Edits
  readonly answered = new Map<number, 'ack' | 'reject'>()
  readonly editor: { id: Uint8Array; last: number }
  readonly resolve: Resolve | undefined
  served: ServedLane | undefined
  /** The records as its listener last saw them. */
  readonly #seen = new Map<string, Fields>()

  constructor(id: number, resolve: Resolve | undefined) {
    this.editor = { id: new Uint8Array(16).fill(id), last: 0 }
    this.resolve = resolve
    this.edits = new Edits(this.editor, this)
  }

  get shown(): Record<string, Fields> {
    const all: Record<string, Fields> = {}
    this.edits.forEach((fields, id) => (all[id] = fields))
    return all
  }

  handleChanged(ids: readonly string[]): void {
    for (const id of ids) {
      const now = this.edits.get(id)
      expect(now, `${id} was told and is the same`).not.toEqual(this.#seen.get(id))
      if (now) this.#seen.set(id, now)
      else this.#seen.delete(id)
    }
  }

  handleAck(number: number): void {
    this.#answer(number, 'ack')
  }

  handleReject(number: number): void {
    this.#answer(number, 'reject')
  }

  handlePending(): void {}

  /** Nothing is shown that was not told, and what says the same is the same object. */
  check(): void {
    const { shown } = this
    expect(Object.fromEntries(this.#seen)).toEqual(shown)
    for (const [id, fields] of Object.entries(shown)) expect(fields).toBe(this.#seen.get(id))
  }

  #answer(number: number, answer: 'ack' | 'reject'): void {
    expect(this.answered.has(number), `${number} is answered once`).toBe(false)
    this.answered.set(number, answer)
  }
}

const record = fc.constantFrom('a', 'b')
const name = fc.constantFrom('x', 'y')
const fields = fc.dictionary(name, fc.nat(3), { maxKeys: 2, noNullPrototype: true })
const ifVersion = fc.option(fc.nat(6), { nil: undefined, freq: 9 })
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ kind: fc.constant(1 as const), record, fields, ifVersion }),
  fc.record({
    kind: fc.constant(2 as const),
    record,
    fields: fc.dictionary(name, fc.option(fc.nat(3)), { maxKeys: 2, noNullPrototype: true }),
    ifVersion,
  }),
  fc.record({ kind: fc.constant(3 as const), record, fields: fc.constant({}), ifVersion }),
  fc.record({ kind: fc.constant(4 as const), record, fields, ifVersion }),
)

type Step =
  | { do: 'submit'; ops: Op[] }
  | { do: 'batch'; edits: Op[][] }
  | { do: 'undo' | 'redo' | 'pause' | 'resume' | 'hear' | 'connect' | 'disconnect' | 'tick' }
  | { do: 'read'; isInvalid: boolean; isForgetful: boolean }

const ops = fc.array(op, { minLength: 1, maxLength: 3 })
const plain = fc
  .constantFrom('undo', 'redo', 'pause', 'resume', 'connect', 'disconnect', 'tick')
  .map((what) => ({ do: what }))
const read = fc.record({
  do: fc.constant('read'),
  isInvalid: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  isForgetful: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
})
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('submit'), ops }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('batch'), edits: fc.array(ops, { maxLength: 3 }) }) },
  { weight: 4, arbitrary: plain },
  { weight: 6, arbitrary: read },
  { weight: 6, arbitrary: fc.constant({ do: 'hear' }) },
) as fc.Arbitrary<Step>

function act(server: EditsServer, client: Client, step: Step): void {
  const { edits, editor } = client
  const submit = (ops: Op[]): void => void edits.submit(1, ++editor.last, ops)
  switch (step.do) {
    case 'submit':
      return submit(step.ops)
    case 'batch':
      return edits.batch(() => step.edits.forEach(submit))
    case 'undo':
    case 'redo':
      return void edits.go(1, step.do)
    case 'pause':
      return edits.undo.beginGroup()
    case 'resume':
      return edits.undo.endGroup()
    case 'connect':
      if (client.served) return
      client.served = new ServedLane()
      server.lanes.add(client.served)
      return edits.open(1, client.served.lane)
    case 'disconnect':
      if (client.served) server.lanes.delete(client.served)
      client.served = undefined
      return edits.close()
    case 'read':
      return client.served && server.read(client.served, step.isInvalid, step.isForgetful)
    case 'hear':
      return hear(client)
    case 'tick':
      return server.tick()
  }
}

function hear({ edits, served }: Client): void {
  const message = served?.down.shift()
  if (message) edits.handleMessage(1, (served as ServedLane).lane, message)
}

function settle(server: EditsServer, clients: readonly Client[]): void {
  for (const client of clients) act(server, client, { do: 'connect' })
  const isBusy = (): boolean => clients.some(({ served }) => served?.up.length || served?.down.length || served?.rest)
  do {
    for (const client of clients) act(server, client, { do: 'read', isInvalid: false, isForgetful: false })
    server.tick()
    for (const client of clients) hear(client)
  } while (isBusy())
}

it('D2 to D7: all see the same in the end, and are told of it', () => {
  const steps = fc.array(fc.tuple(fc.nat(CLIENTS - 1), step), { maxLength: 120, size: 'max' })
  fc.assert(
    fc.property(steps, fc.boolean(), (steps, isResolved) => {
      const server = new EditsServer()
      const resolve: Resolve | undefined = isResolved
        ? (local, remote) => Math.max(Number(local), Number(remote))
        : undefined
      const clients = Array.from({ length: CLIENTS }, (_, index) => new Client(index, resolve))
      settle(server, clients.slice(1))
      for (const [index, step] of steps) {
        act(server, clients[index] as Client, step)
        clients.forEach((client) => client.check())
      }
      settle(server, clients)
      for (const client of clients) {
        client.check()
        expect(client.edits.pendingCount).toBe(0)
        expect(client.shown).toEqual(server.contents)
        const acked = [...client.answered].filter(([, answer]) => answer === 'ack').map(([number]) => number)
        const own = server.log.filter(({ user }) => user === client.editor.id.join())
        expect(own.map(({ number }) => number)).toEqual(acked)
      }
    }),
    { numRuns: 500 },
  )
}, 30_000)
