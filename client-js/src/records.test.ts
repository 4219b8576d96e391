import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, createClient } from './client.ts'
import type { RoomError } from './error.ts'
import type { Room } from './room.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import { encodeAs } from './testing/to-server.ts'
import { type EditMessage, type EditsToClient, editsToClient, type Op, type RecordMessage } from './wire/edits.ts'

let connection: FakeConnection
let server: FakeServer
let client: Client
let room: Room
let leave: () => void

stopTime()

beforeEach(async () => {
  server = new FakeServer()
  client = createClient({ connect: server.connect })
  ;({ room, leave } = client.enterRoom('default:lobby'))
  await pass()
  connection = server.newest
  connection.welcome(7)
})

function edit(sequence: number, ...ops: Op[]): EditMessage {
  return { sequence, time: 1, user: 'g', slot: 1, generation: 1, number: sequence, ops }
}

function contents(): object {
  const all: Record<string, unknown> = {}
  room.records.forEach((fields, id) => (all[id] = fields))
  return all
}

describe('records', () => {
  it('D1: are asked for once, by the first who subscribes', () => {
    expect(connection.edits).toEqual([])
    room.records.subscribe(() => {})
    room.records.subscribe(() => {})
    expect(connection.edits).toMatchObject([[{ type: 'open', room: 7, slot: 0, unanswered: [] }]])
    expect(connection.edits[0]?.[0]).toHaveProperty('editor.length', 16)
  })

  it('D3: come in pages, and are shown when all are there', () => {
    const changes: (readonly string[])[] = []
    room.records.subscribe((ids) => changes.push(ids))
    connection.sayEdits({
      type: 'snapshot',
      document: 1,
      sequence: 4,
      records: [{ id: 'a', version: 2, fields: { x: 1 } }],
      more: true,
    })
    connection.sayEdits({ type: 'edits', edits: [edit(5, { kind: 2, record: 'b', fields: { x: 9 } })] })
    expect([room.records.isLoaded, contents()]).toEqual([false, {}])
    connection.sayEdits({
      type: 'snapshot',
      document: 1,
      sequence: 4,
      records: [{ id: 'b', version: 5, fields: { x: 9 } }],
      more: false,
    })
    expect([room.records.isLoaded, contents(), changes]).toEqual([true, { a: { x: 1 }, b: { x: 9 } }, [['a', 'b']]])
  })

  it('D8: tell their edits as they were made, or why not', async () => {
    const asked = room.history({ before: 9, limit: 2 })
    const refused = room.history()
    expect(connection.edits[0]?.slice(1)).toEqual([
      { type: 'history', request: 1, before: 9, limit: 2 },
      { type: 'history', request: 2, before: undefined, limit: 50 },
    ])
    const put: Op = { kind: 1, record: 'a', fields: { x: 1 } }
    const edits = [edit(7, put), edit(8, { kind: 3, record: 'a', fields: {}, ifVersion: 7 })]
    connection.sayEdits({ type: 'history', request: 1, edits })
    connection.sayEdits({ type: 'history', request: 2, edits: [], code: 9, retryAfterMs: 5 })
    expect(await asked).toEqual([
      { sequence: 7, time: 1, userId: 'g', ops: [{ type: 'put', id: 'a', fields: { x: 1 } }] },
      { sequence: 8, time: 1, userId: 'g', ops: [{ type: 'remove', id: 'a', ifVersion: 7 }] },
    ])
    await expect(refused).rejects.toMatchObject({ code: 'unavailable', retryAfterMs: 5 })

    const lost = room.history()
    connection.die()
    await expect(lost).rejects.toMatchObject({ code: 'unavailable' })
    await expect(room.history()).rejects.toMatchObject({ code: 'not_connected' })
  })

  it('D3: of a later page that are newer than an edit are not changed by it', () => {
    const changes: (readonly string[])[] = []
    room.records.subscribe((ids) => changes.push(ids))
    connection.sayEdits({ type: 'snapshot', document: 1, sequence: 4, records: [], more: true })
    connection.sayEdits({
      type: 'snapshot',
      document: 1,
      sequence: 4,
      records: [{ id: 'b', version: 6, fields: { x: 6 } }],
      more: false,
    })
    connection.sayEdits({ type: 'edits', edits: [edit(5, { kind: 1, record: 'b', fields: { x: 5 } })] })
    expect([contents(), changes]).toEqual([{ b: { x: 6 } }, [['b']]])
    connection.sayEdits({ type: 'edits', edits: [edit(6, { kind: 2, record: 'b', fields: { x: 6, y: 6 } })] })
    expect(contents()).toEqual({ b: { x: 6 } })
    connection.sayEdits({ type: 'edits', edits: [edit(7, { kind: 4, record: 'b', fields: { x: 1 } })] })
    expect(contents()).toEqual({ b: { x: 7 } })
  })

  it('D3: an edit between two pages changes what has come, and nothing that is shown before the rest has', () => {
    const changes: (readonly string[])[] = []
    room.records.subscribe((ids) => changes.push(ids))
    const a = (version: number): RecordMessage => ({ id: 'a', version, fields: { x: version } })
    connection.sayEdits({ type: 'snapshot', document: 1, sequence: 2, records: [a(2)], more: false })
    connection.sayEdits({ type: 'snapshot', document: 1, sequence: 4, records: [a(4)], more: true })
    connection.sayEdits({ type: 'edits', edits: [edit(5, { kind: 2, record: 'a', fields: { y: 5 } })] })
    expect([contents(), changes]).toEqual([{ a: { x: 2 } }, [['a']]])
    connection.sayEdits({ type: 'snapshot', document: 1, sequence: 4, records: [], more: false })
    expect([contents(), changes]).toEqual([{ a: { x: 4, y: 5 } }, [['a'], ['a']]])
  })

  it('D2, D4: change by edits in their order, each once', () => {
    room.records.subscribe(() => {})
    connection.sayEdits({ type: 'snapshot', document: 1, sequence: 0, records: [], more: false })
    const put = edit(1, { kind: 1, record: 'a', fields: { x: 1, y: 1 } })
    const patch = edit(
      2,
      { kind: 2, record: 'a', fields: { x: null, z: 2 } },
      { kind: 2, record: 'none', fields: { x: 1 } },
    )
    connection.sayEdits({ type: 'edits', edits: [put, put, patch, put] })
    expect(contents()).toEqual({ a: { y: 1, z: 2 } })
    connection.sayEdits({ type: 'edits', edits: [edit(3, { kind: 3, record: 'a', fields: {} })] })
    expect(contents()).toEqual({})
  })

  it('D5, D6: an edit resolves when it is durable, and rejects when it has no effect', async () => {
    const errors: RoomError[] = []
    room.subscribe('error', (error) => errors.push(error))
    const first = room.records.put('a', { x: 1 })
    const second = room.records.patch('b', { x: 1 })
    const third = room.records.remove('c')
    expect(connection.edits[0]?.slice(1)).toEqual([
      { type: 'submit', number: 1, ops: [{ kind: 1, record: 'a', fields: { x: 1 } }] },
      { type: 'submit', number: 2, ops: [{ kind: 2, record: 'b', fields: { x: 1 } }] },
      { type: 'submit', number: 3, ops: [{ kind: 3, record: 'c', fields: {} }] },
    ])
    connection.sayEdits({ type: 'ack', number: 1, sequence: 8, time: 1 })
    connection.sayEdits({ type: 'reject', number: 2, code: 11, message: '' })
    expect(await first).toEqual({ sequence: 8 })
    await expect(second).rejects.toMatchObject({ type: 'edit', code: 'no_record' })
    expect(errors).toHaveLength(1)
    connection.sayEdits({ type: 'ack', number: 3, sequence: 9, time: 1 })
    expect(await third).toEqual({ sequence: 9 })
  })

  it('stay as they were while the connection is gone, and are then as the server has them', async () => {
    const changes: (readonly string[])[] = []
    room.records.subscribe((ids) => changes.push(ids))
    connection.sayEdits({
      type: 'snapshot',
      document: 1,
      sequence: 1,
      records: [{ id: 'a', version: 1, fields: {} }],
      more: false,
    })
    connection.die()
    expect(contents()).toEqual({ a: {} })
    await pass(250)
    server.newest.welcome(8)
    expect(contents()).toEqual({ a: {} })
    server.newest.sayEdits({
      type: 'snapshot',
      document: 1,
      sequence: 2,
      records: [{ id: 'b', version: 2, fields: {} }],
      more: false,
    })
    expect([contents(), changes]).toEqual([{ b: {} }, [['a'], ['a', 'b']]])
  })
})

describe('an edit', () => {
  /** What `error` of the room tells. */
  function listen(): string[] {
    const told: string[] = []
    room.subscribe('error', ({ type, code }) => told.push(`${type} ${code}`))
    return told
  }

  it('D7: that was not acked is sent again by another member, and rejects when that takes a day', async () => {
    const told = listen()
    const edit = room.records.put('a', {})
    connection.die()
    await pass(250)
    server.newest.welcome(8)
    expect(server.newest.edits).toMatchObject([
      [
        { type: 'open', room: 8, unanswered: [1] },
        { type: 'submit', number: 1, ops: [{ record: 'a' }] },
      ],
    ])
    server.newest.die()
    const waits = room.records.put('b', {})
    vi.setSystemTime(Date.now() + 86_400_000)
    await pass(500)
    server.newest.welcome(9)
    await expect(edit).rejects.toMatchObject({ type: 'edit', code: 'connection_lost', retryable: true })
    expect([told, server.newest.edits]).toMatchObject([
      ['edit connection_lost'],
      [
        [
          { type: 'open', room: 9, unanswered: [] },
          { type: 'submit', number: 2 },
        ],
      ],
    ])
    server.newest.sayEdits({ type: 'ack', number: 2, sequence: 1, time: 1 })
    expect(await waits).toEqual({ sequence: 1 })
  })

  it('that was not acked when the connection is lost for good rejects at once', async () => {
    const edit = room.records.put('a', {})
    connection.say({ type: 'bye', code: 4005, reason: '' })
    await expect(edit).rejects.toMatchObject({ code: 'connection_lost' })
  })

  it('S4, D7: that was not acked is sent again by the same member, before those that waited', async () => {
    const fields = { x: 1 }
    const edits = [room.records.put('a', fields), room.records.put('b', {})]
    connection.sayEdits({ type: 'ack', number: 1, sequence: 4, time: 1 })
    fields.x = 2
    const again = room.records.put('a', fields)
    fields.x = 3
    connection.die()
    edits.push(again, room.records.put('c', {}))
    await pass(250)
    server.newest.take('hello')
    server.newest.admit(8, [], { resumed: true })
    expect(server.newest.edits).toMatchObject([
      [
        { type: 'open', room: 8 },
        { type: 'submit', number: 2, ops: [{ record: 'b' }] },
        { type: 'submit', number: 3, ops: [{ record: 'a', fields: { x: 2 } }] },
        { type: 'submit', number: 4, ops: [{ record: 'c' }] },
      ],
    ])
    for (const number of [2, 3, 4]) server.newest.sayEdits({ type: 'ack', number, sequence: number + 3, time: 1 })
    expect((await Promise.all(edits)).map(({ sequence }) => sequence)).toEqual([4, 5, 6, 7])
    expect(client.hasUnsentEdits()).toBe(false)
  })

  it('D7: waits while 64 are not answered, and is rejected when too much waits', async () => {
    const told = listen()
    for (let index = 0; index < 165; index++) void room.records.put(`${index}`, {})
    await pass()
    expect(told).toEqual(['edit rate_limited'])
    const submitted = (): number => server.newest.edits.flat().length - 1
    expect(submitted()).toBe(64)
    connection.sayEdits({ type: 'ack', number: 1, sequence: 1, time: 1 })
    connection.sayEdits({ type: 'reject', number: 2, code: 2, message: '' })
    expect(submitted()).toBe(66)
    connection.die()
    await pass(250)
    server.newest.take('hello')
    server.newest.admit(8, [], { resumed: true })
    expect(submitted()).toBe(64)
    for (let number = 3; number < 165; number++) {
      server.newest.sayEdits({ type: 'ack', number, sequence: number, time: 1 })
    }
    expect(submitted()).toBe(162)
    expect(client.hasUnsentEdits()).toBe(false)
  })

  it('D7: has a number of all rooms together, and the same editor', () => {
    const { records } = client.enterRoom('default:other').room
    connection.admit(9)
    void room.records.put('a', {})
    void records.put('b', {})
    const [first, second] = connection.edits as { editor?: Uint8Array; number?: number }[][]
    expect([first?.[1]?.number, second?.[1]?.number]).toEqual([1, 2])
    expect(first?.[0]?.editor).toEqual(second?.[0]?.editor)
  })

  it('while the connection is gone waits for it, as it was said, and goes out in its order', async () => {
    const fields = { x: 1 }
    connection.die()
    const put = room.records.put('a', fields)
    fields.x = 2
    void room.records.patch('a', fields)
    expect(client.hasUnsentEdits()).toBe(true)
    await pass(250)
    server.newest.welcome(8)
    expect(server.newest.edits).toMatchObject([
      [
        { type: 'open', room: 8 },
        { type: 'submit', number: 1, ops: [{ kind: 1, record: 'a', fields: { x: 1 } }] },
        { type: 'submit', number: 2, ops: [{ kind: 2, record: 'a', fields: { x: 2 } }] },
      ],
    ])
    server.newest.sayEdits({ type: 'ack', number: 1, sequence: 4, time: 1 })
    expect([await put, client.hasUnsentEdits()]).toEqual([{ sequence: 4 }, true])
    server.newest.sayEdits({ type: 'ack', number: 2, sequence: 5, time: 1 })
    expect(client.hasUnsentEdits()).toBe(false)
  })

  it('of more than 64 KiB that wait, or of more than 100, rejects, and error says so', async () => {
    const told = listen()
    connection.die()
    for (let index = 0; index < 100; index++) void room.records.remove('a')
    await expect(room.records.remove('a')).rejects.toMatchObject({ type: 'edit', code: 'not_connected' })
    expect(told).toEqual(['edit not_connected'])
  })

  it('that waits rejects when no connection is tried for, as all do then', async () => {
    const told = listen()
    connection.die()
    void room.records.put('a', {})
    await pass(250)
    server.newest.say({ type: 'bye', code: 4005, reason: '' })
    void room.records.put('a', {})
    await pass()
    expect(told).toEqual(['edit not_connected', 'edit not_connected'])
    expect(client.hasUnsentEdits()).toBe(false)
  })

  it('E1: whose promise nobody looks at is heard of by error alone', async () => {
    const told = listen()
    void room.records.put('a', {})
    connection.sayEdits({ type: 'reject', number: 1, code: 2, message: '' })
    await pass()
    expect(told).toEqual(['edit forbidden'])
  })

  it('that has no form in MessagePack throws where it is said, and has no number', async () => {
    const told = listen()
    expect(() => room.records.put('a', { at: new Date() as never })).toThrow(TypeError)
    void room.records.put('b', { x: 1 })
    await pass()
    expect(connection.edits[0]).toMatchObject([{ type: 'open' }, { type: 'submit', number: 1, ops: [{ record: 'b' }] }])
    expect(told).toEqual([])
  })

  it('that is acked is not lost with the connection', async () => {
    const told = listen()
    const edit = room.records.put('a', {})
    connection.sayEdits({ type: 'ack', number: 1, sequence: 3, time: 1 })
    connection.die()
    expect(await edit).toEqual({ sequence: 3 })
    expect(told).toEqual([])
  })
})

describe('the records of a room that was left', () => {
  const snapshot = (...ids: string[]): EditsToClient => {
    const records = ids.map((id) => ({ id, version: 1, fields: {} }))
    return { type: 'snapshot', document: 1, sequence: 1, records, more: false }
  }

  beforeEach(() => {
    client.enterRoom('default:keep')
    connection.admit(9)
  })

  /** Leaves, and enters again; the server gives the same room the same handle. */
  async function again(): Promise<Room> {
    leave()
    await pass()
    const entered = client.enterRoom('default:lobby').room
    connection.say({ type: 'left', room: 7 })
    connection.admit(7)
    return entered
  }

  it('D1: have their lane finished, and another stay has another', async () => {
    room.records.subscribe(() => {})
    ;(await again()).records.subscribe(() => {})
    expect(connection.finished).toEqual([0])
    expect(connection.edits).toMatchObject([[{ type: 'open', room: 7 }], [{ type: 'open', room: 7 }]])
  })

  it('D1: do not get into those of the next stay, though the rest of their lane comes late', async () => {
    room.records.subscribe(() => {})
    const old = encodeAs(editsToClient, snapshot('old'))
    connection.receive(1, old.slice(0, 5))
    const { records } = await again()
    records.subscribe(() => {})
    connection.receive(1, old.slice(5))
    connection.receive(1, new Uint8Array(80).fill(0xc1))
    expect([client.getStatus(), records.isLoaded]).toEqual(['connected', false])
    connection.sayEdits(snapshot('new'), 1)
    expect([records.get('old'), records.get('new')]).toEqual([undefined, {}])
  })

  it('D5: resolve no edit of the next stay by an old ack', async () => {
    room.records.put('a', {}).catch(() => {})
    const { records } = await again()
    let edited: unknown
    void records.put('b', {}).then((value) => (edited = value))
    connection.sayEdits({ type: 'ack', number: 2, sequence: 1, time: 1 })
    await pass()
    expect(edited).toBeUndefined()
    connection.sayEdits({ type: 'ack', number: 2, sequence: 2, time: 1 }, 1)
    await pass()
    expect(edited).toEqual({ sequence: 2 })
  })

  it('are told no more, in the middle of what has come, too', () => {
    const told: (readonly string[])[] = []
    room.records.subscribe((ids) => {
      told.push(ids)
      leave()
    })
    const edits: EditsToClient = { type: 'edits', edits: [edit(2, { kind: 1, record: 'b', fields: {} })] }
    const both = [snapshot('a'), edits].flatMap((message) => [...encodeAs(editsToClient, message)])
    connection.receive(1, Uint8Array.from(both))
    expect(told).toEqual([['a']])
  })
})
