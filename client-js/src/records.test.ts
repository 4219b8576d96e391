import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClient } from './client.ts'
import type { RoomError } from './error.ts'
import type { Room } from './room.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import type { EditMessage, Op } from './wire/edits.ts'

let connection: FakeConnection
let server: FakeServer
let room: Room

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  server = new FakeServer()
  room = createClient({ connect: server.connect }).enterRoom('default:lobby').room
  await vi.advanceTimersByTimeAsync(0)
  connection = server.newest
  connection.welcome(7)
})

afterEach(() => {
  vi.useRealTimers()
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
    expect(connection.edits).toEqual([[{ type: 'open', room: 7, slot: 0 }]])
  })

  it('D3: come in pages, and are shown when all are there', () => {
    const changes: (readonly string[])[] = []
    room.records.subscribe((ids) => changes.push(ids))
    connection.sayEdits({
      type: 'snapshot',
      sequence: 4,
      records: [{ id: 'a', version: 2, fields: { x: 1 } }],
      more: true,
    })
    connection.sayEdits({ type: 'edits', edits: [edit(5, { kind: 2, record: 'b', fields: { x: 9 } })] })
    expect([room.records.isLoaded, contents()]).toEqual([false, {}])
    connection.sayEdits({
      type: 'snapshot',
      sequence: 4,
      records: [{ id: 'b', version: 5, fields: { x: 9 } }],
      more: false,
    })
    expect([room.records.isLoaded, contents(), changes]).toEqual([true, { a: { x: 1 }, b: { x: 9 } }, [['a', 'b']]])
  })

  it('D2, D4: change by edits in their order, each once', () => {
    room.records.subscribe(() => {})
    connection.sayEdits({ type: 'snapshot', sequence: 0, records: [], more: false })
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
    connection.die()
    await expect(third).rejects.toMatchObject({ code: 'connection_lost' })
    await expect(room.records.remove('c')).rejects.toMatchObject({ code: 'not_connected' })
  })

  it('stay as they were while the connection is gone, and are then as the server has them', async () => {
    const changes: (readonly string[])[] = []
    room.records.subscribe((ids) => changes.push(ids))
    connection.sayEdits({ type: 'snapshot', sequence: 1, records: [{ id: 'a', version: 1, fields: {} }], more: false })
    connection.die()
    expect(contents()).toEqual({ a: {} })
    await vi.advanceTimersByTimeAsync(250)
    server.newest.welcome(8)
    expect(contents()).toEqual({ a: {} })
    server.newest.sayEdits({
      type: 'snapshot',
      sequence: 2,
      records: [{ id: 'b', version: 2, fields: {} }],
      more: false,
    })
    expect([contents(), changes]).toEqual([{ b: {} }, [['a'], ['a', 'b']]])
  })
})
