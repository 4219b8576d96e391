import { describe, expect, it } from 'vitest'
import type { Op } from '../wire/edits.ts'
import { Document } from './document.ts'
import { type Entry, inverse, perform } from './entry.ts'
import { Overlay } from './overlay.ts'

const put = (record: string, fields: Op['fields'] = {}, ifVersion?: number): Op => ({
  kind: 1,
  record,
  fields,
  ifVersion,
})
const patch = (record: string, fields: Op['fields']): Op => ({ kind: 2, record, fields })
const remove = (record: string): Op => ({ kind: 3, record, fields: {} })
const add = (record: string, fields: Op['fields']): Op => ({ kind: 4, record, fields })

/** A document after these edits. */
function made(...edits: Op[][]): Document {
  const document = new Document({ document: 1, sequence: 0 })
  edits.forEach((ops, index) => document.apply(index + 1, ops))
  return document
}

function contents(document: Document, overlay = new Overlay()): unknown {
  const all: [string, number, unknown][] = []
  overlay.forEach(document, ({ version, fields }, id) => all.push([id, version, fields]))
  return all
}

describe('a document', () => {
  it('D2: takes puts, patches, increments and removes in their order', () => {
    expect(contents(made([put('a', { x: 1, y: 2 }), put('b')], [patch('a', { x: null, z: 3 }), remove('b')]))).toEqual([
      ['a', 2, { y: 2, z: 3 }],
    ])
    expect(contents(made([put('a', { n: 1 })], [add('a', { n: 0.5, m: -2 })]))).toEqual([['a', 2, { n: 1.5, m: -2 }]])
    expect(contents(made([put('a')], [patch('a', { a: 1 }), remove('a')], [put('a')]))).toEqual([['a', 3, {}]])
  })

  it('D3: applies an operation only to a record whose version is below the number of the edit', () => {
    const document = made([put('a', { n: 1 })])
    document.load([{ id: 'b', version: 3, fields: { n: 5 } }])
    document.apply(2, [add('a', { n: 1 }), add('b', { n: 1 }), patch('b', { x: 1 })])
    document.apply(3, [add('b', { n: 1 })])
    expect(contents(document)).toEqual([
      ['a', 2, { n: 2 }],
      ['b', 3, { n: 5 }],
    ])
    expect(document.place).toEqual({ document: 1, sequence: 3 })
  })

  it('D2: takes an operation of the order whatever its condition was', () => {
    expect(contents(made([put('a')], [put('a', { x: 1 }, 1)]))).toEqual([['a', 2, { x: 1 }]])
  })
})

describe('an operation', () => {
  const entry: Entry = { version: 4, fields: { n: 1, s: '1' } }

  it('D2: needs its record, its condition, and numbers', () => {
    expect(perform(undefined, patch('a', {}))).toBe(false)
    expect(perform(undefined, add('a', {}))).toBe(false)
    expect(perform(entry, add('a', { s: 1 }))).toBe(false)
    expect(perform(entry, add('a', { n: '1' }))).toBe(false)
    expect(perform(entry, add('a', { toString: 1 }))).toEqual({ version: 4, fields: { n: 1, s: '1', toString: 1 } })
    for (const [old, version, is] of [
      [entry, 4, true],
      [entry, 5, false],
      [entry, 0, false],
      [undefined, 0, true],
      [undefined, 1, false],
      // A record that the same edit has made has no version yet.
      [{ ...entry, version: 0 }, 0, false],
    ] as const) {
      expect(perform(old, put('a', {}, version)) !== false, `${version}`).toBe(is)
    }
  })

  it('is taken back by its inverse', () => {
    const ops = [put('a', { x: 1 }), patch('a', { n: 2, new: 1 }), add('a', { n: 2.5, m: 1 }), remove('a')]
    for (const op of ops) {
      const done = perform(entry, op)
      const back = perform(done || undefined, inverse(entry, op) as Op)
      expect(back && back.fields).toEqual(op.kind === 4 ? { n: 1, s: '1', m: 0 } : entry.fields)
    }
    expect(inverse(undefined, put('a'))).toEqual(remove('a'))
    expect(inverse(undefined, remove('a'))).toBeUndefined()
  })
})

describe('an overlay', () => {
  it('shows edits over a document, each whole or not at all', () => {
    const document = made([put('a', { n: 1 })], [put('b')], [put('c')])
    const overlay = new Overlay()
    expect(overlay.commit(document, [remove('b'), add('a', { n: 1 }), put('d')])).toEqual([
      remove('d'),
      add('a', { n: -1 }),
      put('b', {}),
    ])
    expect(overlay.commit(document, [remove('a'), patch('b', {})])).toBeUndefined()
    expect(contents(document, overlay)).toEqual([
      ['a', NaN, { n: 2 }],
      ['c', 3, {}],
      ['d', NaN, {}],
    ])
    expect(overlay.commit(document, [put('a', {}, 1)]), 'its version will be another').toBeUndefined()
    expect(contents(document)).toEqual([
      ['a', 1, { n: 1 }],
      ['b', 2, {}],
      ['c', 3, {}],
    ])
  })
})
