import { describe, expect, it } from 'vitest'
import { encodeAs } from '../testing/to-server.ts'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import { editsToClient, type EditsToClient, type Op, sayHistory, sayOpen, saySubmit } from './edits.ts'
import { frame } from './framing.ts'
import { decodeMessage, encodeMessage, type Said } from './lane.ts'

interface Vector {
  name: string
  hex: string
}

const file = vectors<{ to_server: Vector[]; to_client: Vector[] }>('edits.json')
const time = 1_760_000_000_123
const ops: Op[] = [
  { kind: 1, record: 'note-1', fields: { ratio: 0.1, text: 'Hallo', x: -40 } },
  { kind: 2, record: 'note-1', fields: { done: true, text: null } },
  { kind: 3, record: 'note-2', fields: {} },
  { kind: 4, record: 'note-1', fields: { votes: 1 }, ifVersion: 41 },
]
const editor = new TextEncoder().encode('0123456789abcdef')

/** How each vector to the server is said, with the keys of users' maps in their order. */
const toServer: Record<string, Said> = {
  open: sayOpen(7, 5, editor, undefined, []),
  'open after edit 41, with two edits unanswered': sayOpen(7, 5, editor, { document: 90_071, sequence: 41 }, [7, 9]),
  submit: saySubmit(1, ops),
  history: sayHistory(3, undefined, 50),
  'history before edit 41': sayHistory(4, 41, 100),
}

/** What each vector to the client says. */
const toClient: Record<string, EditsToClient> = {
  'snapshot, a page of more': {
    type: 'snapshot',
    document: 90_071,
    sequence: 42,
    records: [{ id: 'note-1', version: 42, fields: { done: true, x: -40 } }],
    more: true,
  },
  'snapshot of an empty document': { type: 'snapshot', document: 90_071, sequence: 0, records: [], more: false },
  edits: {
    type: 'edits',
    edits: [{ sequence: 43, time, user: 'auth|4711', slot: 3, generation: 1, number: 1, ops }],
  },
  history: {
    type: 'history',
    request: 3,
    edits: [{ sequence: 43, time, user: 'auth|4711', slot: 3, generation: 1, number: 1, ops }],
  },
  'history, none': { type: 'history', request: 4, edits: [] },
  'history, refused': { type: 'history', request: 4, edits: [], code: 9, retryAfterMs: 1_000 },
  ack: { type: 'ack', number: 1, sequence: 43, time },
  reject: { type: 'reject', number: 2, code: 11, message: 'a patch needs its record' },
  'reject, too large': {
    type: 'reject',
    number: 4,
    code: 6,
    message: 'too large',
    limit: 61_440,
    value: 70_000,
  },
  'reject, a condition': { type: 'reject', number: 5, code: 12, message: 'another version', value: 42 },
  'reject, over a rate': { type: 'reject', number: 3, code: 5, message: 'too many edits', retryAfterMs: 10 },
}

it('knows every vector', () => {
  expect(Object.keys(toServer)).toEqual(file.to_server.map(({ name }) => name))
  expect(Object.keys(toClient)).toEqual(file.to_client.map(({ name }) => name))
})

describe('to the server', () => {
  it.each(file.to_server)('F6: $name', ({ name, hex }) => {
    expect(toHex(encodeMessage(toServer[name] as Said))).toBe(toHex(frame(fromHex(hex))))
  })
})

describe('to the client', () => {
  it.each(file.to_client)('F6: $name', ({ name, hex }) => {
    const message = decodeMessage(editsToClient, fromHex(hex))
    expect(message).toEqual(toClient[name])
    expect(toHex(encodeAs(editsToClient, message as EditsToClient))).toBe(toHex(frame(fromHex(hex))))
  })
})
