import { beforeEach, describe, expect, it, vi } from 'vitest'
import { EditsServer, ServedLane } from '../testing/edits-server.ts'
import type { EditsToClient, Op } from '../wire/edits.ts'
import type { Value } from '../wire/msgpack.ts'
import { Edits, type EditsListener } from './edits.ts'
import type { PendingEdit, Resolve } from './pending.ts'

const put = (record: string, fields: Op['fields'] = {}): Op => ({ kind: 1, record, fields })
const patch = (record: string, fields: Op['fields']): Op => ({ kind: 2, record, fields })
const add = (record: string, fields: Op['fields']): Op => ({ kind: 4, record, fields })

let server: EditsServer
let edits: Edits
let other: Edits
let lane: ServedLane
let told: unknown[]
let kept: PendingEdit[]
let resolve: Resolve | undefined
let react: (() => void) | undefined
const editor = { id: new Uint8Array(16), last: 0 }

const deaf: EditsListener = {
  handleChanged: () => {},
  handleAck: () => {},
  handleReject: () => {},
  handlePending: () => {},
}

beforeEach(() => {
  server = new EditsServer()
  told = []
  kept = []
  resolve = undefined
  react = undefined
  editor.last = 0
  edits = new Edits(editor, {
    get resolve() {
      return resolve
    },
    handleChanged: (ids) => {
      told.push(...ids)
      react?.()
    },
    handleAck: (number, sequence) => told.push(['ack', number, sequence]),
    handleReject: (number, reason) => told.push(['reject', number, reason?.code]),
    handlePending: (edit) => void kept.push({ ...edit }),
  })
  other = new Edits({ id: new Uint8Array(16).fill(1), last: 0 }, deaf)
  connect()
  const theirs = open(other)
  other.submit(1, 1, [put('n', { count: 1, s: 's' })])
  pass(other, theirs)
  pass(edits, lane)
  told = []
})

function open(edits: Edits): ServedLane {
  const lane = new ServedLane()
  server.lanes.add(lane)
  edits.open(0, lane.lane)
  return lane
}

function connect(now = 0): void {
  lane = new ServedLane()
  server.lanes.add(lane)
  edits.open(now, lane.lane)
}

function disconnect(): void {
  server.lanes.delete(lane)
  edits.close()
}

/** Lets all that waits come through. */
function pass(to: Edits = edits, over: ServedLane = lane): void {
  while (over.up.length) server.read(over, false, false)
  server.tick()
  for (let message; (message = over.down.shift());) to.handleMessage(0, over.lane, message)
}

function submit(...ops: Op[]): number {
  edits.submit(0, ++editor.last, ops)
  return editor.last
}

/** Another's edit comes. */
function hear(...ops: Op[]): void {
  const sequence = (edits.confirmed?.sequence ?? 0) + 1
  const edit = { sequence, time: 1, user: 'g', slot: 1, generation: 1, number: sequence, ops }
  say({ type: 'edits', edits: [edit] })
}

function say(message: EditsToClient): void {
  edits.handleMessage(0, lane.lane, message)
}

describe('an edit', () => {
  it('is shown at once, over what comes, and its echo is silent', () => {
    submit(add('n', { count: 2 }))
    expect([edits.get('n'), told]).toEqual([{ count: 3, s: 's' }, ['n']])
    hear(add('n', { count: 10 }))
    expect([edits.get('n'), edits.confirmed?.records.get('n')?.fields]).toMatchObject([{ count: 13 }, { count: 11 }])
    say({ type: 'ack', number: 1, sequence: 3, time: 1 })
    const before = edits.get('n')
    told = []
    hear(add('n', { count: 2 }))
    expect([edits.get('n'), edits.pendingCount, told]).toEqual([{ count: 13, s: 's' }, 0, []])
    expect(edits.get('n')).toBe(before)
  })

  it('D6: is shown no more when it is rejected, and what was on top of it is shown as it can be', () => {
    const first = submit(put('a', { x: 1 }), patch('n', { s: 't' }))
    submit(patch('a', { y: 1 }), patch('n', { s: 'u' }))
    submit(patch('n', { t: 1 }))
    expect([edits.get('a'), edits.get('n')]).toEqual([
      { x: 1, y: 1 },
      { count: 1, s: 'u', t: 1 },
    ])
    told = []
    say({ type: 'reject', number: first, code: 13, message: '' })
    expect([edits.get('a'), edits.get('n'), told]).toEqual([
      undefined,
      { count: 1, s: 's', t: 1 },
      ['a', 'n', ['reject', 1, 13]],
    ])
    hear(put('a'))
    expect([edits.get('a'), edits.get('n')], 'the second can be done now').toEqual([
      { y: 1 },
      { count: 1, s: 'u', t: 1 },
    ])
  })

  it('D3: that another document does not know is not shown with it', () => {
    const acked = submit(put('a'))
    const waiting = submit(put('b'))
    say({ type: 'ack', number: acked, sequence: 2, time: 1 })
    disconnect()
    connect()
    expect(lane.up).toMatchObject([{ type: 'open', unanswered: [waiting] }, { number: waiting }])
    say({ type: 'ack', number: waiting, sequence: 1, time: 1 })
    say({ type: 'snapshot', document: 2, sequence: 0, records: [], more: false })
    expect([edits.get('a'), edits.get('b')]).toEqual([undefined, {}])
  })

  it('D7: is sent again on every lane, until that was a day ago', () => {
    submit(put('a'))
    disconnect()
    submit(put('b'))
    connect(86_399_999)
    expect(lane.up).toMatchObject([{ unanswered: [1] }, { number: 1 }, { number: 2 }])
    disconnect()
    told = []
    connect(86_400_000)
    expect(lane.up).toMatchObject([{ unanswered: [2] }, { number: 2 }])
    expect(told).toEqual(['a', ['reject', 1, undefined]])
  })

  it('that is forgotten is told once the lane is open, for who hears of it may edit', () => {
    submit(put('a'))
    disconnect()
    react = () => {
      react = undefined
      edits.open(86_400_000, lane.lane)
      submit(put('b'))
    }
    connect(86_400_000)
    expect(lane.up).toMatchObject([{ type: 'open' }, { number: 2 }])
  })

  it('is told to whoever keeps it when it is new, sent, or another', () => {
    disconnect()
    submit(patch('n', { s: 't' }))
    resolve = (local, remote) => `${remote}${local}`
    connect(5)
    expect(kept).toMatchObject([{ number: 1 }, { number: 1, sentAt: 5 }])
  })
})

describe('the resolver', () => {
  it('decides for fields of patches that wait to be sent, and for no others', () => {
    const asked: unknown[] = []
    resolve = (local, remote, of) => {
      asked.push([local, remote, of])
      return `${remote}${local}`
    }
    for (let count = 0; count < 64; count++) submit(add('n', { count: 0 }))
    submit(patch('n', { s: 'mine', t: 'mine' }))
    submit(put('n', { s: 'put' }))
    hear(patch('n', { s: 'theirs', u: 1 }))
    expect(asked).toEqual([['mine', 'theirs', { record: 'n', field: 's' }]])
    expect(kept.at(-1)?.ops).toEqual([patch('n', { s: 'theirsmine', t: 'mine' })])
    hear(patch('n', { s: 'theirsmine' }))
    expect(asked).toHaveLength(1)
  })

  it('is not asked about what one has done oneself', () => {
    const asked: unknown[] = []
    resolve = (local, remote) => {
      asked.push(remote)
      return local
    }
    submit(patch('n', { s: 'first' }))
    for (let count = 1; count < 64; count++) submit(add('n', { count: 0 }))
    submit(patch('n', { s: 'second' }))
    server.read(lane, false, false)
    say(lane.down.shift() as EditsToClient)
    // The window has moved on by the ack; what is made now waits.
    submit(patch('n', { s: 'third' }))
    server.tick()
    say(lane.down.shift() as EditsToClient)
    expect([edits.confirmed?.records.get('n')?.fields['s'], asked]).toEqual(['first', []])
    hear(patch('n', { s: 'theirs' }))
    expect(asked).toEqual(['theirs'])
  })

  it('D2: decides for nothing that an edit has no place for', () => {
    const reported = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {})
    for (let count = 0; count < 64; count++) submit(add('n', { count: 0 }))
    submit(patch('n', { s: 'mine', t: 'x'.repeat(40_000) }))
    resolve = () => 'x'.repeat(30_000)
    hear(patch('n', { s: 'theirs' }))
    expect([edits.get('n')?.['s'], kept.at(-1)?.sentAt, reported.mock.calls.length]).toEqual(['mine', undefined, 1])
    expect(reported.mock.calls[0]?.[0]).toThrow(RangeError)
    let deep: Value = null
    for (let depth = 0; depth < 16; depth++) deep = [deep]
    resolve = () => deep
    hear(patch('n', { s: 'others' }))
    expect([edits.get('n')?.['s'], reported.mock.calls.length]).toEqual(['mine', 2])
    reported.mockRestore()
  })
})

describe('undo', () => {
  it('takes an edit back by an edit, keeps what others did, and can be undone', () => {
    submit(patch('n', { s: 'mine' }), add('n', { count: 5 }))
    hear(patch('n', { s: 'theirs', x: 1 }), add('n', { count: 10 }))
    expect(edits.go(0, 'undo')).toBe(true)
    expect(edits.get('n')).toEqual({ count: 11, s: 's', x: 1 })
    expect(edits.go(0, 'redo')).toBe(true)
    expect(edits.get('n')).toEqual({ count: 16, s: 'mine', x: 1 })
    expect([edits.go(0, 'redo'), editor.last]).toEqual([false, 3])
  })

  it('leaves out what would be done to a record that is gone', () => {
    submit(patch('n', { s: 'mine' }), put('a'))
    hear({ kind: 3, record: 'n', fields: {} })
    submit(put('b'))
    edits.go(0, 'undo')
    // The edit that put `a` can't be done any more, so nothing shows it.
    expect([edits.go(0, 'undo'), edits.get('a'), edits.get('n')]).toEqual([true, undefined, undefined])
    expect(lane.up.at(-1)).toMatchObject({ ops: [{ kind: 3, record: 'a' }] })
  })

  it('divides what is too much for an edit, and is told once', () => {
    edits.undo.beginGroup()
    for (let index = 0; index < 3; index++) submit(put(`large ${index}`, { text: 'x'.repeat(30_000) }))
    edits.undo.endGroup()
    expect(edits.go(0, 'undo')).toBe(true)
    told = []
    edits.go(0, 'redo')
    expect(told).toEqual(['large 0', 'large 1', 'large 2'])
    expect(lane.up.slice(-2).map((said) => 'ops' in said && said.ops.length)).toEqual([2, 1])
  })
})
