// The closed form against an encoder that does encode.

import { expect, it } from 'vitest'
import { Writer } from '../../src/wire/bytes.ts'
import { encodeValue } from '../../src/wire/msgpack.ts'
import { mapSize } from './message-pack-size.ts'

const POSITIVE = [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32]
const NEGATIVE = [-1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1]

it('is what an encoder takes', () => {
  for (const x of [...POSITIVE, ...NEGATIVE, 0.5, NaN]) {
    const writer = new Writer()
    encodeValue(writer, { id: 7, x, y: 300 })
    expect(mapSize(7, x, 300), `${x}`).toBe(writer.length)
  }
})
