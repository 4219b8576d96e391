import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Encoder, putDifferences, putHeader, putNumber } from '../testing/encoder.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import { type Header, level, momentum, readDifferences, readHeader, readNumber } from './model.ts'
import { Decoder } from './range.ts'

function coded(act: (encoder: Encoder) => void): Decoder {
  const writer = new Writer()
  const encoder = new Encoder()
  act(encoder)
  encoder.finish(writer)
  const decoder = new Decoder()
  decoder.begin(new Reader(writer.take()))
  return decoder
}

it('M6: any numbers of 32 bits are read as they were written', () => {
  const number = fc.oneof(fc.nat(70), fc.nat(2 ** 32 - 1), fc.constant(2 ** 32 - 1))
  fc.assert(
    fc.property(fc.array(number), (numbers) => {
      const decoder = coded((encoder) => numbers.forEach((number) => putNumber(encoder, number)))
      expect(numbers.map(() => readNumber(decoder))).toEqual(numbers)
    }),
  )
})

it('M6: a number beyond 32 bits is the largest', () => {
  const decoder = coded((encoder) => {
    encoder.raw(32, 2 ** 32 - 1)
    encoder.raw(32, 5)
  })
  expect(readNumber(decoder)).toBe(2 ** 32 - 1)
})

it('M6: any headers that rise are read as they were written', () => {
  const header = fc.record({ index: fc.nat(3), age: fc.nat(3), lag: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(header), (steps) => {
      const headers: Header[] = []
      for (const { index, age, lag } of steps) {
        headers.push({ index: (headers.at(-1)?.index ?? -1) + 1 + index, age, lag: age && lag })
      }
      const decoder = coded((encoder) => headers.forEach((header, at) => putHeader(encoder, headers[at - 1], header)))
      const read: Header = { index: -1, age: 0, lag: 0 }
      for (const header of headers) {
        readHeader(decoder, read)
        expect(read).toEqual(header)
      }
    }),
  )
})

it('M6: any differences are read as they were written, with any momenta', () => {
  const small = fc.integer({ min: -40, max: 40 })
  const difference = fc.oneof(small, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))
  const own = fc.oneof(small, fc.integer({ min: -(2 ** 24), max: 2 ** 24 }))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.tuple(own, own, own, own), (count, momenta) => {
      fc.assert(
        fc.property(fc.array(difference, { minLength: count, maxLength: count }), (differences) => {
          const own = momenta.map((momentum, axis) => (axis < count ? momentum : 0))
          const decoder = coded((encoder) => putDifferences(encoder, own.slice(0, count), differences))
          const into = new Float64Array(4)
          readDifferences(decoder, count, Int32Array.from(own), into)
          expect([...into.subarray(0, count)].map((value) => value + 0)).toEqual(differences)
        }),
        { numRuns: 5 },
      )
    }),
  )
})

it.each([
  ['doubles what is to come', [10, 1, 1], 20],
  ['is cut towards 0', [-7, 3, 1], -4],
  ['goes by the age', [6, 2, 8], 48],
  ['counts for 8 ticks', [6, 8, 8], 12],
  ['does not count from 9 ticks before the baseline', [9, 9, 1], 0],
  ['does not count for 9 ticks', [9, 1, 9], 0],
  ['is none without a reference', [9, 0, 1], 0],
  ['is no more than 24 bits', [2 ** 30, 1, 8], 2 ** 24],
  ['is no more than 24 bits downwards', [-(2 ** 31), 1, 8], -(2 ** 24)],
])('M6: momentum %s', (_, [difference, lag, age], expected) => {
  expect(momentum(difference!, lag!, age!)).toBe(expected)
})

it('M6: levels rise by half and by a third', () => {
  const values = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 2 ** 28]
  expect(values.map(level)).toEqual([0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 8, 56])
})
