import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as arbitrary from '../testing/arbitrary.ts'
import { controlToServer, editsToServer, encodeAs } from '../testing/to-server.ts'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import { DecodeError, Writer } from './bytes.ts'
import { controlToClient, sayEvent, type ToClient } from './control.ts'
import { editsToClient } from './edits.ts'
import { frame, FrameBuffer } from './framing.ts'
import { decodeMessage, encodeMessage, type Lane } from './lane.ts'
import { encodeValue } from './msgpack.ts'

interface AnyMessage {
  readonly type: string
}

const lanes = {
  'control to_server': [controlToServer, arbitrary.toServer],
  'control to_client': [controlToClient, arbitrary.toClient],
  'edits to_server': [editsToServer, arbitrary.editsToServer],
  'edits to_client': [editsToClient, arbitrary.editsToClient],
} as unknown as Record<string, [Lane<AnyMessage>, fc.Arbitrary<AnyMessage>]>

const file = vectors<{
  messages: { name: string; lane: string; hex: string; message?: string; written?: string; skipped?: true }[]
}>('values.json')

/** A message's bytes without its length. */
function unframed(bytes: Uint8Array): Uint8Array {
  const buffer = new FrameBuffer()
  buffer.push(bytes)
  return buffer.pop() as Uint8Array
}

/** A message as a peer with other tables might write it. */
function raw(...elements: unknown[]): Uint8Array {
  const writer = new Writer()
  encodeValue(writer, elements)
  return writer.take()
}

function throwsOnlyDecodeError(lane: Lane<AnyMessage>, bytes: Uint8Array): void {
  try {
    decodeMessage(lane, bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError)
  }
}

it.each(file.messages)('F5, F6: $name', ({ lane: name, hex, message, written, skipped }) => {
  const [lane] = lanes[name] as [Lane<AnyMessage>, unknown]
  const decode = (): AnyMessage | undefined => decodeMessage(lane, fromHex(hex))
  if (written !== undefined) {
    const read = decode() as AnyMessage
    expect(read.type).toBe(message)
    expect(toHex(encodeAs(lane, read))).toBe(toHex(frame(fromHex(written))))
  } else if (skipped) {
    expect(decode()).toBeUndefined()
  } else {
    expect(decode).toThrow(DecodeError)
  }
})

describe.each(Object.entries(lanes))('%s', (_name, [lane, messages]) => {
  it('F6: every message survives the wire', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decodeMessage(lane, unframed(encodeAs(lane, message)))).toEqual(message)
      }),
    )
  })

  it('F4: random bytes throw nothing but DecodeError', () => {
    const start = fc.constantFrom([], [0x92], [0x92, 1, 0x82], [0x92, 5, 0x83])
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 100 }), (start, rest) => {
        throwsOnlyDecodeError(lane, Uint8Array.of(...start, ...rest))
      }),
      { numRuns: 1_000 },
    )
  })

  it('F4: a message with bytes changed, lost or added throws nothing but DecodeError', () => {
    const change = fc.tuple(fc.nat(), fc.nat(2), fc.uint8Array({ maxLength: 3 }))
    fc.assert(
      fc.property(messages, fc.array(change, { minLength: 1, maxLength: 3 }), (message, changes) => {
        const bytes = [...unframed(encodeAs(lane, message))]
        for (const [at, lost, added] of changes) bytes.splice(at % (bytes.length + 1), lost, ...added)
        throwsOnlyDecodeError(lane, Uint8Array.from(bytes))
      }),
      { numRuns: 1_000 },
    )
  })

  it('F4: a message that is cut short is refused', () => {
    fc.assert(
      fc.property(messages, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (message, part) => {
        const bytes = unframed(encodeAs(lane, message))
        const cut = bytes.subarray(0, Math.floor(bytes.length * part))
        expect(() => decodeMessage(lane, cut)).toThrow(DecodeError)
      }),
    )
  })
})

describe('a message', () => {
  const roster = { h: 7, k: 1, m: [{ s: 0, g: 0, u: { i: 'a' } }] }

  it.each([
    ['a float for an integer', raw(4, { h: 7.5 })],
    ['a whole float for an integer', fromHex('920481a168cb401c000000000000')],
    ['a slot of 4,096', raw(3, { ...roster, m: [{ s: 4_096, g: 0, u: { i: 'a' } }] })],
    ['nil where a key has a default but no nil', raw(3, { ...roster, c: null })],
    ['a pair of three', raw(5, { h: 7, k: 1, a: [[0, 1, 2]] })],
    ['a pair whose third is another pair', fromHex('920583a16807a16b01a16192930001920203')],
    ['a pair of one', raw(5, { h: 7, k: 1, a: [[0]] })],
    ['a map that is a list', raw(5, { h: 7, k: 1, p: [[0, []]] })],
    ['no axes', raw(2, joined({ hz: 30, a: [] }))],
    ['five axes', raw(2, joined({ hz: 30, a: [{}, {}, {}, {}, {}] }))],
    ['no ticks', raw(2, joined({ hz: 0, a: [{}] }))],
    ['more than 250 ticks in a second', raw(2, joined({ hz: 251, a: [{}] }))],
    ['steps of nothing', raw(2, joined({ hz: 30, a: [{ st: 0 }] }))],
    ['a step that is not a number', raw(2, joined({ hz: 30, a: [{ st: NaN }] }))],
    ['an endless step', raw(2, joined({ hz: 30, a: [{ st: Infinity }] }))],
    ['an axis beyond 30 bits', raw(2, joined({ hz: 30, a: [{}, { n: -(2 ** 30) - 1 }] }))],
    ['an axis with nothing in it', raw(2, joined({ hz: 30, a: [{ n: 1, x: 0, w: true }] }))],
    ['a list of numbers for binary data', raw(10, { d: [1, 7] })],
    ['its body behind its end', fromHex('910481a16807')],
    ['a negative integer', raw(4, { h: -1 })],
    ['a kind of five bytes', fromHex('92ce0000000481a16807')],
    ['a kind above 16 bits', raw(65_536, {})],
    ['an own key twice, within', fromHex('920183a17601a17582a16901a16901a17400')],
  ])('F6: with %s is refused', (_name, bytes) => {
    expect(() => decodeMessage(controlToClient, bytes)).toThrow(DecodeError)
  })

  it('F6: a number may be an integer', () => {
    expect(decodeMessage(controlToClient, raw(2, joined({ hz: 30, a: [{ st: 4 }] })))).toMatchObject({
      motion: { axes: [{ step: 4 }] },
    })
  })

  it('F5: keys of a later version are skipped at every level, whatever they are called', () => {
    const user = { i: 'a', new: [1] }
    Object.defineProperty(user, '__proto__', { value: { n: 'x' }, enumerable: true })
    const message = decodeMessage(
      controlToClient,
      raw(3, { ...roster, constructor: 1, m: [{ s: 0, g: 0, u: user, toString: {} }] }),
    )
    expect(message).toEqual({
      type: 'roster',
      room: 7,
      tick: 1,
      members: [{ slot: 0, generation: 0, user: { id: 'a' }, presence: {}, status: 0 }],
      more: false,
    })
  })

  it("F4: counts its own levels with those of users' values", () => {
    const nested = (levels: number): unknown => (levels === 0 ? 0 : [nested(levels - 1)])
    const event = (levels: number): unknown => ({ f: 0, g: 0, h: 7, k: 'e', t: 0, d: nested(levels) })
    expect(decodeMessage(controlToClient, raw(6, event(14)))).toMatchObject({
      type: 'direct',
    } satisfies Partial<ToClient>)
    const deeper = (bytes: Uint8Array): Uint8Array => fromHex(toHex(bytes).replace('919191', '91919191'))
    expect(() => decodeMessage(controlToClient, deeper(raw(6, event(14))))).toThrow(DecodeError)
    expect(decodeMessage(controlToClient, raw(99, nested(15)))).toBeUndefined()
    expect(() => decodeMessage(controlToClient, deeper(raw(99, nested(15))))).toThrow(DecodeError)
    expect(() => decodeMessage(controlToClient, deeper(raw(3, { ...roster, new: nested(14) })))).toThrow(DecodeError)
    expect(() => decodeMessage(controlToClient, deeper(raw(4, { h: 7 }, nested(15))))).toThrow(DecodeError)
  })

  it('F1: that is too long is not encoded', () => {
    const data = 'x'.repeat(65_536)
    expect(() => encodeMessage(sayEvent(7, 'e', data, undefined))).toThrow(RangeError)
  })
})

function joined(motion: unknown): unknown {
  return { i: 1, h: 7, e: 1, s: 0, g: 0, k: 0, x: 31, ev: 0, m: motion }
}
