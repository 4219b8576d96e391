import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Encoder } from '../testing/encoder.ts'
import { DecodeError, Reader, Writer } from '../wire/bytes.ts'
import { Decoder } from './range.ts'
import { TABLE } from './table.ts'

function decode(bytes: Uint8Array): Decoder {
  const decoder = new Decoder()
  decoder.begin(new Reader(bytes))
  return decoder
}

function encode(act: (encoder: Encoder) => void): Uint8Array {
  const writer = new Writer()
  const encoder = new Encoder()
  act(encoder)
  encoder.finish(writer)
  return writer.take()
}

it('M6: what was decided is read, in any stream', () => {
  const decisions = fc.array(fc.tuple(fc.nat(TABLE.length - 1), fc.boolean()), { maxLength: 300 })
  const raws = fc.array(
    fc.nat(32).chain((count) => fc.tuple(fc.constant(count), fc.nat(2 ** count - 1))),
    { maxLength: 5 },
  )
  fc.assert(
    fc.property(decisions, raws, (decisions, raws) => {
      const decoder = decode(
        encode((encoder) => {
          for (const [context, bit] of decisions) encoder.decide(context, bit)
          for (const [count, value] of raws) encoder.raw(count, value)
        }),
      )
      for (const [context, bit] of decisions) expect(decoder.decide(context)).toBe(bit)
      for (const [count, value] of raws) expect(decoder.raw(count)).toBe(value)
    }),
  )
})

it('M6: a decoder begins anew with each frame', () => {
  const bytes = encode((encoder) => encoder.raw(32, 0xdeadbeef))
  const decoder = decode(Uint8Array.of(1, 2, 3))
  decoder.raw(24)
  expect(() => decoder.raw(32)).toThrow(DecodeError)
  decoder.begin(new Reader(bytes))
  expect(decoder.raw(32)).toBe(0xdeadbeef)
})

it('M1: four bytes behind the end are those that the last decision holds ahead, and there is no fifth', () => {
  expect(decode(new Uint8Array()).raw(7)).toBe(127)
  expect(() => decode(new Uint8Array()).raw(8)).toThrow(DecodeError)
  expect(decode(Uint8Array.of(0)).raw(15)).toBe(2 ** 15 - 1)
  expect(() => decode(Uint8Array.of(0)).raw(16)).toThrow(DecodeError)
})

it('M1: a decoder does not make up a world from nothing', () => {
  const decoder = decode(new Uint8Array())
  const likely = TABLE.indexOf(255)
  let decisions = 0
  expect(() => {
    for (; decisions < 20_000; decisions++) expect(decoder.decide(likely)).toBe(true)
  }).toThrow(DecodeError)
  expect(decisions).toBeGreaterThan(100)
})
