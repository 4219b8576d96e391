import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { fromHex, toHex, vectors } from '../testing/vectors.ts'
import { DecodeError } from './bytes.ts'
import { frame, FrameBuffer } from './framing.ts'

const file = vectors<{
  streams: { name: string; chunks: string[]; messages: string[]; error: string | null; whole: boolean }[]
  lengths: { length: number; prefix: string }[]
}>('framing.json')

/** The messages that come from the buffer now. */
function* popAll(buffer: FrameBuffer): Generator<Uint8Array> {
  for (let message; (message = buffer.pop());) yield message
}

describe('a stream', () => {
  it.each(file.streams)('F1: $name', ({ chunks, messages, error }) => {
    const buffer = new FrameBuffer()
    const popped: string[] = []
    const read = (): void => {
      for (const chunk of chunks) {
        buffer.push(fromHex(chunk))
        for (const message of popAll(buffer)) popped.push(toHex(message))
      }
    }
    if (error) expect(read).toThrow(DecodeError)
    else read()
    expect(popped).toEqual(messages)
  })

  it('F1: may be cut anywhere', () => {
    const message = fc.uint8Array({ maxLength: 700 })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.integer({ min: 1, max: 900 }), (messages, step) => {
        const stream = Uint8Array.from(messages.flatMap((message) => [...frame(message)]))
        const buffer = new FrameBuffer()
        const popped: Uint8Array[] = []
        for (let at = 0; at < stream.length; at += step) {
          buffer.push(stream.subarray(at, at + step))
          popped.push(...popAll(buffer))
        }
        expect(popped).toEqual(messages.map((message) => Uint8Array.from(message)))
      }),
    )
  })

  it('F1: random bytes throw nothing but DecodeError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
        const buffer = new FrameBuffer()
        try {
          for (const chunk of chunks) {
            buffer.push(chunk)
            for (const message of popAll(buffer)) expect(message.length).toBeLessThanOrEqual(65_536)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
    )
  })

  it.each([1, 100, 60_001])('F1: in chunks of %i, each byte is copied a few times, into bounded memory', (step) => {
    const set = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'set')
    const message = frame(new Uint8Array(60_000))
    set.mockClear()
    const buffer = new FrameBuffer()
    let popped = 0
    for (let count = 0; count < 4; count++) {
      for (let at = 0; at < message.length; at += step) {
        buffer.push(message.subarray(at, at + step))
        for (const { length } of popAll(buffer)) popped += length
      }
    }
    const copied = set.mock.calls.reduce((sum, [bytes]) => sum + bytes.length, 0)
    const memory = set.mock.contexts.reduce<number>((most, target) => Math.max(most, (target as Uint8Array).length), 0)
    set.mockRestore()
    expect(popped).toBe(4 * 60_000)
    expect(copied).toBeLessThan(4 * popped)
    expect(memory).toBeLessThan(4 * (65_536 + step))
  })
})

it('F1: a message of 64 KiB comes through', () => {
  const buffer = new FrameBuffer()
  buffer.push(frame(new Uint8Array(65_536)))
  expect(buffer.pop()).toEqual(new Uint8Array(65_536))
})

it('a message stays as it is when more comes', () => {
  const buffer = new FrameBuffer()
  buffer.push(frame(new Uint8Array(100)))
  const message = buffer.pop()
  for (let count = 0; count < 4; count++) {
    buffer.push(frame(new Uint8Array(100).fill(1)))
    buffer.pop()
  }
  expect(message).toEqual(new Uint8Array(100))
})

describe('a length', () => {
  it.each(file.lengths)('F1: $length', ({ length, prefix }) => {
    const framed = frame(new Uint8Array(length))
    expect(toHex(framed.subarray(0, framed.length - length))).toBe(prefix)
  })

  it('F1: a message that is too long is never written', () => {
    expect(() => frame(new Uint8Array(65_537))).toThrow(RangeError)
  })
})
