import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { values } from '../testing/arbitrary.ts'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import { DecodeError, Reader, Writer } from './bytes.ts'
import { controlToClient } from './control.ts'
import { decodeMessage } from './lane.ts'
import { decodeFields, decodeValue, encodeValue } from './msgpack.ts'

const file = vectors<{
  values: { name: string; hex: string; value?: unknown; depth?: number; written?: string; error?: string }[]
}>('values.json')

function encoded(value: unknown): Uint8Array<ArrayBuffer> {
  const writer = new Writer()
  encodeValue(writer, value)
  return writer.take()
}

const hexOf = (value: unknown): string => toHex(encoded(value))

/** An array in an array, so often. */
function nested(levels: number, core: unknown): unknown {
  return levels === 0 ? core : [nested(levels - 1, core)]
}

describe('values', () => {
  it.each(file.values.filter(({ error }) => !error))('F3: $name', ({ hex, value, written }) => {
    const reader = new Reader(fromHex(hex))
    expect(decodeValue(reader)).toEqual(value)
    expect(reader.left).toBe(0)
    expect(hexOf(value)).toBe(written)
  })

  it.each(file.values.filter(({ error }) => error))('F4: $name', ({ hex, error }) => {
    if (error !== 'trailing') expect(() => decodeValue(new Reader(fromHex(hex)))).toThrow(DecodeError)
    // In a message, nothing may follow the value either.
    expect(() => decodeMessage(controlToClient, fromHex(`927f${hex}`))).toThrow(DecodeError)
  })

  it('F3: survive the wire', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decodeValue(new Reader(encoded(value)))).toEqual(value)
      }),
    )
  })

  it('F4: random bytes throw nothing but DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeValue(new Reader(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it.each(['dc ffff', 'dd ffffffff', 'de 0015', 'df 80000000', 'da ffff', 'db ffffffff', 'c5 ffff', 'c6 ffffffff'])(
    'F4: %s with little behind it is refused before anything is allocated',
    (head) => {
      const reader = new Reader(fromHex(`${head.replace(' ', '')}${'a0'.repeat(40)}`))
      expect(() => decodeValue(reader)).toThrow(DecodeError)
      expect(reader.left).toBe(40)
    },
  )

  it('F4: an array in an array, 60,000 times, is refused', () => {
    expect(() => decodeValue(new Reader(new Uint8Array(60_000).fill(0x91)))).toThrow(DecodeError)
  })

  it('F3: the key __proto__ is a key like others', () => {
    const fields = decodeFields(new Reader(fromHex('81a95f5f70726f746f5f5f81a161c3')))
    expect(Object.keys(fields)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype)
    expect('a' in fields).toBe(false)
    expect(hexOf(fields)).toBe('81a95f5f70726f746f5f5f81a161c3')
  })

  it('F3: binary data is a copy, which does not keep the message', () => {
    const message = fromHex('c402aabb')
    const data = decodeValue(new Reader(message)) as Uint8Array
    message.fill(0)
    expect(data).toEqual(Uint8Array.of(0xaa, 0xbb))
    expect(data.buffer.byteLength).toBe(2)
  })
})

describe('the shortest form', () => {
  it.each([
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65_535, 'cdffff'],
    [65_536, 'ce00010000'],
    [2 ** 32 - 1, 'ceffffffff'],
    [2 ** 32, 'cf0000000100000000'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32_768, 'd18000'],
    [-32_769, 'd2ffff7fff'],
    [-(2 ** 31), 'd280000000'],
    [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    [-0, '00'],
    [2 ** 53, 'cb4340000000000000'],
    [NaN, 'cb7ff8000000000000'],
  ])('F3: of %d', (value, hex) => {
    expect(hexOf(value)).toBe(hex)
  })

  it.each([
    ['a string', (length: number): unknown => 'x'.repeat(length), { 31: 'bf', 32: 'd920', 255: 'd9ff', 256: 'da0100' }],
    ['binary data', (length: number): unknown => new Uint8Array(length), { 0: 'c400', 255: 'c4ff', 256: 'c50100' }],
    ['an array', (length: number): unknown => Array(length).fill(0), { 15: '9f', 16: 'dc0010', 65_536: 'dd00010000' }],
    [
      'a map',
      (length: number): unknown => Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, 0])),
      { 15: '8f', 16: 'de0010', 65_536: 'df00010000' },
    ],
  ])('F3: of %s', (_name, make, heads) => {
    for (const [length, head] of Object.entries(heads)) {
      const bytes = encoded(make(Number(length)))
      expect(toHex(bytes.subarray(0, head.length / 2))).toBe(head)
      expect(decodeValue(new Reader(bytes))).toEqual(make(Number(length)))
    }
  })
})

describe('what applications send', () => {
  it('leaves out fields that are undefined, and takes undefined for nil elsewhere', () => {
    expect(hexOf({ a: undefined, b: 1 })).toBe('81a16201')
    expect(hexOf([undefined, 1])).toBe('92c001')
    expect(hexOf(undefined)).toBe('c0')
  })

  it('may be any plain object, or other bytes than a Uint8Array of its own', () => {
    expect(hexOf(Object.assign(Object.create(null), { a: 1 }))).toBe('81a16101')
    expect(hexOf(Buffer.from('ab'))).toBe('c4026162')
  })

  it.each([
    ['Function', () => 0],
    ['BigInt', 1n],
    ['Symbol', Symbol('s')],
    ['Date', new Date(0)],
    ['Map', new Map()],
    ['Float32Array', new Float32Array(1)],
    ['Point', new (class Point {})()],
  ])('F3: a %s is refused by its name', (name, value) => {
    expect(() => encoded({ inside: [value] })).toThrow(new TypeError(`${name} can't be sent`))
  })

  it('F4: what is nested too deeply for a message is refused, and so is what contains itself', () => {
    const cycle: unknown[] = []
    cycle.push(cycle, cycle)
    expect(() => encoded(cycle)).toThrow(TypeError)
    expect(() => encoded(nested(17, 0))).toThrow(TypeError)
    expect(encoded(nested(16, 0)).length).toBe(17)
  })
})
