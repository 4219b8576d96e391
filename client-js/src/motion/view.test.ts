import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PartToPut, putFrame } from '../testing/frames.ts'
import { DecodeError, Reader, Writer } from '../wire/bytes.ts'
import { type FrameHeader, isOnAxis, readFrameHeader, WINDOW } from './frame.ts'
import { type Moved, View } from './view.ts'

const header: FrameHeader = { room: 0, epochCheck: 0, tick: 0, parts: 0 }

function frame(tick: number, parts: PartToPut[]): Uint8Array {
  const writer = new Writer()
  putFrame(writer, 7, 1, tick, parts)
  return writer.take()
}

function handle(view: View, bytes: Uint8Array, moved: Moved = () => {}): void {
  const reader = new Reader(bytes)
  expect(reader.u8()).toBe(1)
  readFrameHeader(reader, header)
  view.handleFrame(header, reader, moved)
}

function read(view: View, slot: number, generation: number): number[] | undefined {
  const position = new Int32Array(view.axes)
  return view.read(slot, generation, position) ? [...position] : undefined
}

it('M3: of epochs and generations the low byte is compared', () => {
  const view = new View(2, 2 ** 53 - 255)
  handle(view, frame(1, [{ index: 0, baseline: 0, entries: [{ slot: 3, generation: 300, values: [5, 6] }] }]))
  expect(view.hasParts).toBe(true)
  expect(read(view, 3, 300)).toEqual([5, 6])
  expect(read(view, 3, 44 + 2 ** 31)).toEqual([5, 6])
  expect(read(view, 3, 45)).toBeUndefined()
  expect([2, 4, 64, 4096].map((slot) => read(view, slot, 300))).toEqual(Array(4).fill(undefined))
})

it('M7: nothing of a faulty frame is acked, nor of the frame before it', () => {
  const view = new View(2, 1)
  const entries = [{ slot: 0, generation: 0, values: [5, 6] }]
  handle(view, frame(1, [{ index: 0, baseline: 0, entries }]))
  expect([view.hasParts, [...view.parts]]).toEqual([true, [1, 0, 0, 0]])
  const twoParts = frame(2, [
    { index: 0, baseline: 1, entries: [] },
    { index: 1, baseline: 0, entries: [] },
  ])
  expect(() => handle(view, twoParts.subarray(0, -1))).toThrow(DecodeError)
  expect(view.hasParts).toBe(false)
  handle(view, twoParts)
  expect([view.hasParts, [...view.parts]], 'the first is a duplicate').toEqual([true, [3, 0, 0, 0]])
})

it('M5: after a jump nothing is held that was not, or lies more than 32 ticks back', () => {
  const part = { index: 0, baseline: 0, entries: [] }
  for (let jump = 1; jump <= 70; jump++) {
    const newest = 100 + jump
    for (let baseline = newest - 35; baseline <= newest; baseline++) {
      const view = new View(2, 1)
      for (const tick of [97, 99, 100, newest]) handle(view, frame(tick, [part]))
      handle(view, frame(1000, [{ ...part, baseline }]))
      const isHeld = [97, 99, 100, newest].includes(baseline) && newest - baseline <= WINDOW
      expect(view.hasParts, `${baseline} at ${newest}`).toBe(isHeld)
    }
  }
})

it('M5: a difference without a baseline is of no use, though the slot has a position', () => {
  const view = new View(2, 1)
  handle(view, frame(1, [{ index: 0, baseline: 0, entries: [{ slot: 0, generation: 0, values: [5, 6] }] }]))
  handle(view, frame(2, [{ index: 0, baseline: 0, entries: [{ slot: 0, values: [1, 1] }] }]))
  expect([view.hasParts, view.unusable, read(view, 0, 0)]).toEqual([false, 1, [5, 6]])
})

describe('a server whose datagrams and acks are lost, late and doubled', () => {
  const SLOTS = [0, 1, 63, 64, 130, 4095]
  const copies = fc.array(fc.nat(4), { maxLength: 2 })
  const move = fc.record({
    slot: fc.constantFrom(...SLOTS),
    to: fc.tuple(fc.integer({ min: -99, max: 99 }), fc.nat(2 ** 20)),
    what: fc.constantFrom('move', 'move', 'move', 'replace', 'leave'),
  })
  const step = fc.record({
    ticks: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 28, max: 36 })),
    moves: fc.array(move, { maxLength: 4 }),
    down: copies,
    up: copies,
  })

  it('M5: a viewer has every slot where the newest tick held has it, in any case', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80 }), run), { numRuns: 150 })
  })

  interface Member {
    generation: number
    values: [number, number]
    changed: number
  }
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

  function run(steps: Step[]): void {
    const view = new View(2, 1)
    const members = new Map<number, Member>()
    const snapshots = new Map<number, Map<number, Member>>([[0, new Map()]])
    const sent = new Map<number, number>()
    const acked = new Map<number, number>()
    const held = new Map<number, number>()
    const shown = new Map<number, number[]>()
    const todo: { at: number; act: () => void }[] = []
    let tick = 0

    const parts = [...new Set(SLOTS.map((slot) => slot >> 6))]
    const part = (index: number): PartToPut => {
      const known = acked.get(index) ?? 0
      const baseline = known && sent.get(index)! - known <= WINDOW ? known : 0
      const entries = SLOTS.filter((slot) => slot >> 6 === index).flatMap((slot) => {
        const member = members.get(slot)
        if (!member || member.changed <= baseline) return []
        const { generation, values } = member
        const old = snapshots.get(baseline)!.get(slot)
        if (old?.generation !== generation) return [{ slot, generation, values }]
        return [{ slot, values: [values[0] - old.values[0], values[1] - old.values[1]] }]
      })
      return { index, baseline, entries }
    }

    const deliver = (tick: number, bytes: Uint8Array, put: PartToPut[], up: number[], now: number): void => {
      handle(view, bytes, (slot, generation, position) => shown.set(slot, [generation, ...position]))
      const brought = put.filter(({ index }) => (view.parts[index >> 5]! >>> (index & 31)) & 1)
      expect(view.unusable).toBe(put.length - brought.length)
      expect(view.hasParts).toBe(brought.length > 0)
      for (const part of put) {
        if (tick <= (held.get(part.index) ?? 0)) continue
        expect(brought, 'what is newest can always be used').toContain(part)
        held.set(part.index, tick)
      }
      for (const [index, tick] of held) {
        for (const [slot, { generation, values }] of snapshots.get(tick)!) {
          if (slot >> 6 !== index) continue
          expect(read(view, slot, generation)).toEqual(values)
          expect(shown.get(slot)).toEqual([generation % 256, ...values])
        }
      }
      const ack = (): void => brought.forEach(({ index }) => acked.set(index, Math.max(acked.get(index) ?? 0, tick)))
      for (const delay of up) todo.push({ at: now + delay, act: ack })
    }

    for (const [now, { ticks, moves, down, up }] of steps.entries()) {
      tick += ticks
      for (const { slot, to, what } of moves) {
        const generation = (members.get(slot)?.generation ?? 250 + now) + Number(what === 'replace')
        if (what === 'leave') members.delete(slot)
        else members.set(slot, { generation, values: to, changed: tick })
      }
      snapshots.set(tick, new Map(members))
      const put = parts.map(part).filter(({ entries }) => entries.length > 0)
      if (put.length) {
        const bytes = frame(tick, put)
        const sentAt = tick
        put.forEach(({ index }) => sent.set(index, sentAt))
        for (const delay of down) {
          todo.push({ at: now + delay, act: () => deliver(sentAt, bytes, put, up, now + delay) })
        }
      }
      // Acks are put in while this goes on.
      for (const job of todo) if (job.at === now) job.act()
    }
  }
})

describe('bytes that no server sends', () => {
  const entry = fc.record(
    {
      slot: fc.nat(63),
      generation: fc.nat(255),
      values: fc.tuple(fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 }), fc.nat(9)),
    },
    { requiredKeys: ['slot', 'values'] },
  )
  const entries = fc
    .uniqueArray(entry, { maxLength: 6, selector: ({ slot }) => slot })
    .map((entries) => entries.sort((a, b) => a.slot - b.slot))
  const sound = fc
    .tuple(fc.integer({ min: 1, max: 40 }), fc.nat(3), entries)
    .map(([tick, age, entries]) => frame(tick, [{ index: 0, baseline: Math.max(tick - age, 0), entries }]))
  const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 })
  const mutated = fc.tuple(sound, changes).map(([bytes, changes]) => {
    for (const [at, byte] of changes) bytes[4 + (at % (bytes.length - 4))] = byte
    return bytes
  })
  const random = fc.uint8Array({ maxLength: 120 }).map((tail) => Uint8Array.of(1, 7, 1, 9, 1, ...tail))
  const datagrams = fc.array(fc.oneof(sound, mutated, random), { maxLength: 30 })

  it('M1, M2: are refused by DecodeError alone, and leave no position out of range', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), datagrams, handleAll), { numRuns: 500 })
  })

  function handleAll(axes: number, datagrams: Uint8Array[]): void {
    const view = new View(axes, 1)
    for (const bytes of datagrams) {
      try {
        handle(view, bytes, (slot, generation, position) => {
          expect(position).toHaveLength(axes)
          expect(position.every(isOnAxis)).toBe(true)
          expect(slot).toBeLessThan(4096)
          expect(generation & 255).toBe(generation)
        })
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
      }
    }
  }
})
