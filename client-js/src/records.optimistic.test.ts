// What the application sees of its own edits: at once, in batches, with conditions, undone, and selected.

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type Client, createClient } from './client.ts'
import type { RoomError } from './error.ts'
import type { Room } from './room.ts'
import { type FakeConnection, FakeServer } from './testing/server.ts'
import { pass, stopTime } from './testing/time.ts'
import type { Op } from './wire/edits.ts'

interface Types {
  Presence: object
  Events: object
  Record: { text?: string; count?: number; tags?: string[] }
}

let connection: FakeConnection
let client: Client
let room: Room<Types>
let changes: (readonly string[])[]
let errors: RoomError[]

stopTime()

beforeEach(async () => {
  const server = new FakeServer()
  client = createClient({ connect: server.connect })
  ;({ room } = client.enterRoom<Types>('default:lobby'))
  changes = []
  errors = []
  room.subscribe('error', (error) => errors.push(error))
  await pass()
  connection = server.newest
  connection.welcome(7)
  room.records.subscribe((ids) => changes.push(ids))
  const record = { id: 'a', version: 4, fields: { text: 'a', count: 1 } }
  connection.sayEdits({ type: 'snapshot', document: 1, sequence: 4, records: [record], more: false })
  changes = []
})

let sequence = 4
beforeEach(() => {
  sequence = 4
})

/** An edit comes, one's own if its number is said. */
function hear(number: number, ...ops: Op[]): void {
  const edit = { sequence: ++sequence, time: 1, user: 'u', slot: 0, generation: 1, number, ops }
  connection.sayEdits({ type: 'edits', edits: [edit] })
}

/** All that was submitted: numbers and operations. */
function submitted(): unknown[] {
  return connection.edits.flat().flatMap((said) => (said.type === 'submit' ? [[said.number, said.ops]] : []))
}

describe('an edit', () => {
  it('shows at once, and its echo tells nothing', () => {
    void room.records.increment('a', { count: 2 })
    expect([room.records.get('a'), changes]).toEqual([{ text: 'a', count: 3 }, [['a']]])
    connection.sayEdits({ type: 'ack', number: 1, sequence: 5, time: 1 })
    const shown = room.records.get('a')
    hear(1, { kind: 4, record: 'a', fields: { count: 2 } })
    expect([room.records.get('a'), changes]).toEqual([{ text: 'a', count: 3 }, [['a']]])
    expect(room.records.get('a')).toBe(shown)
    expect(room.records.version('a')).toBe(5)
  })

  it('D6: that conflicts is shown no more, and its error says the version', async () => {
    const edit = room.records.patch('a', { text: 'b' }, { ifVersion: room.records.version('a') })
    const absent = room.records.put('b', {}, { ifAbsent: true })
    expect(submitted()).toMatchObject([
      [1, [{ kind: 2, ifVersion: 4 }]],
      [2, [{ kind: 1, ifVersion: 0 }]],
    ])
    expect(room.records.version('b')).toBe(0)
    connection.sayEdits({ type: 'reject', number: 1, code: 12, message: 'another version', value: 5 })
    connection.sayEdits({ type: 'reject', number: 2, code: 6, message: 'too large', limit: 10, value: 20 })
    await expect(edit).rejects.toMatchObject({ code: 'conflict', context: { room: 'default:lobby', value: 5 } })
    await expect(absent).rejects.toMatchObject({ code: 'too_large', context: { limit: 10, value: 20 } })
    expect([room.records.get('a'), room.records.get('b')]).toEqual([{ text: 'a', count: 1 }, undefined])
    expect(changes).toEqual([['a'], ['b'], ['a'], ['b']])
  })

  it('of several operations has one promise, and shows whole or not at all', async () => {
    const { id, applied } = room.records.submit([
      { type: 'put', id: 'b', fields: {} },
      { type: 'remove', id: 'a' },
      { type: 'patch', id: 'none', fields: { text: null } },
    ])
    expect([id, changes, submitted()]).toMatchObject([1, [], [[1, [{ kind: 1 }, { kind: 3 }, { kind: 2 }]]]])
    connection.sayEdits({ type: 'ack', number: 1, sequence: 9, time: 1 })
    expect(await applied).toEqual({ sequence: 9 })
  })

  it('D2: that is too large throws where it is said', () => {
    const { records } = room
    expect(() => records.put('b', { text: 'x'.repeat(61_440) })).toThrow(RangeError)
    expect(() => records.submit(Array(65).fill({ type: 'remove', id: 'b' }))).toThrow(RangeError)
    expect(() => records.put('b', { text: new Date() as never })).toThrow(TypeError)
    expect([submitted(), records.pendingCount]).toEqual([[], 0])
  })

  it('is pending until it is durable, and storage-status says so', () => {
    const told: unknown[] = []
    room.subscribe('storage-status', (status) => told.push(status, room.records.pendingCount, client.hasUnsentEdits()))
    void room.records.put('b', {})
    void room.records.put('c', {})
    expect(room.getStorageStatus()).toBe('synchronizing')
    connection.sayEdits({ type: 'ack', number: 1, sequence: 5, time: 1 })
    connection.sayEdits({ type: 'reject', number: 2, code: 2, message: '' })
    expect([told, room.getStorageStatus()]).toEqual([
      ['synchronizing', 1, true, 'synchronized', 0, false],
      'synchronized',
    ])
  })
})

describe('the resolver', () => {
  it('decides for what waits, and its mistakes are its own', () => {
    const reported = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {})
    const { records } = room
    for (let count = 0; count < 64; count++) void records.increment('a', { count: 0 })
    void records.patch('a', { text: 'mine' })
    records.resolve = (local, remote, { record, field }) => `${record}.${field}: ${local}, ${remote}`
    hear(9, { kind: 2, record: 'a', fields: { text: 'theirs' } })
    expect(records.get('a')?.text).toBe('a.text: mine, theirs')
    records.resolve = () => {
      throw new Error('no')
    }
    hear(9, { kind: 2, record: 'a', fields: { text: 'again' } })
    expect([records.get('a')?.text, reported.mock.calls.length]).toEqual(['a.text: mine, theirs', 1])
    records.resolve = undefined
    hear(9, { kind: 2, record: 'a', fields: { text: 'last' } })
    expect([records.get('a')?.text, client.getStatus()]).toEqual(['a.text: mine, theirs', 'connected'])
    reported.mockRestore()
  })
})

describe('a batch', () => {
  it('goes as one edit, is seen within, told once, and undone in one step', async () => {
    const { records } = room
    const made: Promise<unknown>[] = []
    const result = room.batch(() => {
      made.push(records.put('b', { count: 1 }))
      made.push(records.increment('b', { count: 1 }))
      room.batch(() => made.push(records.patch('a', { text: 'b' })))
      expect([records.get('b'), changes, submitted()]).toEqual([{ count: 2 }, [], []])
      return 'done'
    })
    expect([result, changes, submitted()]).toMatchObject([
      'done',
      [['b', 'a']],
      [[1, [{ kind: 1 }, { kind: 4 }, { kind: 2 }]]],
    ])
    connection.sayEdits({ type: 'ack', number: 1, sequence: 5, time: 1 })
    expect(await Promise.all(made)).toEqual([{ sequence: 5 }, { sequence: 5 }, { sequence: 5 }])
    records.undo()
    expect([records.get('a'), records.get('b'), records.canUndo]).toEqual([{ text: 'a', count: 1 }, undefined, false])
  })

  it('that throws makes no edit', async () => {
    const made: Promise<unknown>[] = []
    const error = new Error('no')
    const act = (): void =>
      room.batch(() => {
        made.push(room.records.put('b', {}))
        throw error
      })
    expect(act).toThrow(error)
    await expect(made[0]).rejects.toBe(error)
    expect([room.records.get('b'), changes, submitted(), errors]).toEqual([undefined, [], [], []])
    void room.records.put('c', {})
    expect(submitted()).toHaveLength(1)
  })

  it('of nothing is no edit, and one of too much throws there', () => {
    room.batch(() => {})
    room.batch(() => {
      for (let index = 0; index < 64; index++) void room.records.remove(`${index}`)
      expect(() => room.records.remove('64')).toThrow(RangeError)
      expect(room.records.undo()).toBe(false)
    })
    expect(submitted()).toMatchObject([[expect.any(Number), { length: 64 }]])
  })
})

describe('undo', () => {
  it('takes back what was made here, in steps, and history says what can be done', () => {
    const told: unknown[] = []
    room.subscribe('history', ({ canUndo, canRedo }) => told.push([canUndo, canRedo]))
    const { records } = room
    records.pauseHistory()
    void records.patch('a', { text: 'b' })
    void records.patch('a', { text: 'c' })
    records.resumeHistory()
    hear(9, { kind: 2, record: 'a', fields: { count: 7 } })
    expect([records.undo(), records.get('a')]).toEqual([true, { text: 'a', count: 7 }])
    expect([records.redo(), records.get('a')]).toEqual([true, { text: 'c', count: 7 }])
    expect([records.redo(), records.undo(), records.undo()]).toEqual([false, true, false])
    expect(told).toEqual([
      [true, false],
      [false, true],
      [true, false],
      [false, true],
    ])
  })

  it('has nothing to do after an edit that was rejected, and works while there is no connection', () => {
    const { records } = room
    void records.patch('a', { text: 'b' })
    connection.sayEdits({ type: 'reject', number: 1, code: 2, message: '' })
    expect([records.canUndo, records.undo()]).toEqual([false, false])
    connection.die()
    void records.patch('a', { text: 'c' })
    expect([records.undo(), records.get('a')?.text, records.pendingCount]).toEqual([true, 'a', 2])
  })
})

describe('select', () => {
  it('tells what has changed of what was read, and does not look elsewhere', () => {
    const runs = vi.fn()
    const told: unknown[] = []
    const unsubscribe = room.records.select(
      (records) => {
        runs()
        return records.get('a')?.text
      },
      (text) => told.push(text),
    )
    void room.records.put('b', {})
    void room.records.patch('a', { count: 2 })
    void room.records.patch('a', { text: 'b' })
    void room.records.remove('a')
    expect([told, runs.mock.calls.length]).toEqual([['b', undefined], 4])
    unsubscribe()
    unsubscribe()
    void room.records.put('a', {})
    expect(runs.mock.calls.length).toBe(4)
  })

  it('follows what it reads from one run to the next', () => {
    const told: unknown[] = []
    const { records } = room
    void records.put('pointer', { text: 'a' })
    records.select(
      (reader) => reader.get(reader.get('pointer')?.text ?? '')?.count,
      (count) => told.push(count),
    )
    void records.patch('a', { count: 2 })
    void records.put('b', { count: 3 })
    void records.patch('pointer', { text: 'b' })
    void records.patch('a', { count: 4 })
    void records.patch('b', { count: 5 })
    expect(told).toEqual([2, 3, 5])
  })

  it('of all records runs at each change, and arrays and objects of the same things are the same', () => {
    const told: unknown[] = []
    const ids = (reader: { forEach(visit: (fields: object, id: string) => void): void }): string[] => {
      const all: string[] = []
      reader.forEach((_, id) => all.push(id))
      return all
    }
    room.records.select(ids, (all) => told.push(all))
    room.records.select(
      (reader) => new Map([['count', reader.get('a')?.count]]),
      (map) => told.push(map.size),
    )
    void room.records.patch('a', { count: 2 })
    void room.records.put('b', {})
    expect(told).toEqual([1, ['a', 'b']])
  })

  it('survives a selector that throws, and one that ends another', () => {
    const reported = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {})
    const told: unknown[] = []
    const text = (reader: { get(id: string): { text?: string } | undefined }): string => reader.get('a')!.text!
    room.records.select(text, () => unsubscribe())
    const unsubscribe = room.records.select(text, (text) => told.push(text))
    room.records.select(text, (text) => told.push(text))
    void room.records.patch('a', { text: 'b' })
    void room.records.remove('a')
    void room.records.put('a', { text: 'c' })
    expect([told, reported.mock.calls.length]).toEqual([['b', 'c'], 2])
    reported.mockRestore()
  })

  it('asks for the records, and says nothing after the room is left', async () => {
    const entry = client.enterRoom<Types>('default:other')
    connection.admit(9)
    const told: unknown[] = []
    entry.room.records.select(
      (reader) => reader.get('a')?.count,
      (count) => told.push(count),
    )
    expect(connection.edits[1]).toMatchObject([{ type: 'open', room: 9 }])
    const record = { id: 'a', version: 4, fields: { count: 1 } }
    connection.sayEdits({ type: 'snapshot', document: 2, sequence: 4, records: [record], more: false }, 1)
    void entry.room.records.patch('a', { count: 2 })
    entry.leave()
    await pass()
    expect(told).toEqual([1, 2])
  })
})

describe('a lane that the server has ended', () => {
  it('D1: is opened again after a second, and what was not answered is submitted again', async () => {
    void room.records.put('b', {})
    connection.endEdits()
    expect(connection.finished).toEqual([0])
    void room.records.put('c', {})
    await pass(999)
    expect(connection.edits).toHaveLength(1)
    await pass(1)
    expect(connection.edits[1]).toMatchObject([
      { type: 'open', room: 7, after: { document: 1, sequence: 4 }, unanswered: [1] },
      { type: 'submit', number: 1 },
      { type: 'submit', number: 2 },
    ])
  })

  it('D1: is none after the room is left', async () => {
    client.enterRoom('default:keep')
    connection.admit(9)
    connection.endEdits()
    connection.say({ type: 'left', room: 7, reason: 10 })
    await pass(2_000)
    expect(connection.edits).toHaveLength(1)
  })
})
