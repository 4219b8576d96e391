import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import { DecodeError, Reader, Writer } from './bytes.ts'

interface Unsigned {
  value: string
  hex: string
  bits: number
}

const file = vectors<{
  unsigned: Unsigned[]
  longer: Unsigned[]
  refused: { hex: string; bits: number }[]
  signed: { value: number; hex: string }[]
}>('varint.json')

// Wider varints stand only in acks, which a client never reads.
const of32Bits = (vector: { bits: number }): boolean => vector.bits === 32

function written(write: (writer: Writer) => void): Uint8Array<ArrayBuffer> {
  const writer = new Writer()
  write(writer)
  return writer.take()
}

describe('varints', () => {
  it.each(file.unsigned.filter(of32Bits))('F2: $value', ({ value, hex }) => {
    const reader = new Reader(fromHex(hex))
    expect(reader.varint()).toBe(Number(value))
    expect(reader.left).toBe(0)
    expect(toHex(written((writer) => writer.varint(Number(value))))).toBe(hex)
  })

  it.each(file.longer.filter(of32Bits))('F2: $hex is read', ({ value, hex }) => {
    expect(new Reader(fromHex(hex)).varint()).toBe(Number(value))
  })

  it.each(file.refused.filter(of32Bits))('F2: $hex is refused', ({ hex }) => {
    expect(() => new Reader(fromHex(hex)).varint()).toThrow(DecodeError)
  })

  it.each(file.signed)('F2: $value, zigzag', ({ value, hex }) => {
    expect(new Reader(fromHex(hex)).zigzag()).toBe(value)
    expect(toHex(written((writer) => writer.zigzag(value)))).toBe(hex)
  })

  it('F2: every integer of 32 bits survives', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.integer(), (unsigned, signed) => {
        const reader = new Reader(
          written((writer) => {
            writer.varint(unsigned)
            writer.zigzag(signed)
          }),
        )
        expect([reader.varint(), reader.zigzag(), reader.left]).toEqual([unsigned, signed, 0])
      }),
    )
  })
})

describe('a reader', () => {
  it('F4: throws at the end of its bytes, and reads nothing', () => {
    const reads: ((reader: Reader) => unknown)[] = [
      (reader) => reader.uint(4),
      (reader) => reader.int(8),
      (reader) => reader.float(8),
      (reader) => reader.bytes(4),
      (reader) => reader.text(2 ** 32),
    ]
    for (const read of reads) {
      const reader = new Reader(Uint8Array.of(1, 2, 3))
      expect(() => read(reader)).toThrow(DecodeError)
      expect(reader.left).toBe(3)
    }
    expect(() => new Reader().peek()).toThrow(DecodeError)
  })

  it('reads the part of a buffer that it was given', () => {
    const buffer = Uint8Array.of(9, 9, 0x12, 0x34, 9)
    const reader = new Reader(buffer.subarray(2, 4))
    expect([reader.peek(), reader.uint(2), reader.left]).toEqual([0x12, 0x1234, 0])
  })

  it('F3: refuses what is not UTF-8, and keeps a byte order mark', () => {
    expect(() => new Reader(Uint8Array.of(0xed, 0xa0, 0x80)).text(3)).toThrow(DecodeError)
    expect(new Reader(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)).text(4)).toBe('\ufeffa')
  })
})

it('a writer grows, and what it gave stays when it is used again', () => {
  const writer = new Writer()
  const bytes = Uint8Array.from({ length: 1_000 }, (_, index) => index)
  writer.u8(7)
  writer.bytes(bytes)
  const first = writer.take()
  writer.clear()
  writer.int(-1, 2)
  expect(first).toEqual(Uint8Array.of(7, ...bytes))
  expect(toHex(writer.take())).toBe('ffff')
})
