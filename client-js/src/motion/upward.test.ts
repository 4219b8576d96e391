import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Writer } from '../wire/bytes.ts'
import { putAck } from './upward.ts'

it('M7: any set of 128 parts is written as a varint', () => {
  const word = fc.nat(0xffffffff)
  fc.assert(
    fc.property(word, word, word, word, (...words) => {
      const writer = new Writer()
      putAck(writer, 7, 1, Uint32Array.from(words))
      let bits = words.reduceRight((bits, word) => (bits << 32n) | BigInt(word), 0n)
      const expected = [3, 7, 1]
      for (; bits > 127n; bits >>= 7n) expected.push(Number(bits & 127n) | 128)
      expect([...writer.take()]).toEqual([...expected, Number(bits)])
    }),
    {
      examples: [
        [0, 0, 0, 0],
        [0, 0, 0, 0xffffffff],
        [127, 0, 0, 0],
        [128, 0, 0, 0],
        [0, 0, 0, 0x80000000],
      ],
    },
  )
})
