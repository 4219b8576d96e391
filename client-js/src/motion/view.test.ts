import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Encoder, putHeader, putMore, putMoved, putNumber, putPlace, putPlaced } from '../testing/encoder.ts'
import { type KnownToPut, OPEN, openAxes, type PartToPut, putFrame } from '../testing/frames.ts'
import { DecodeError, Reader, Writer } from '../wire/bytes.ts'
import type { Axis } from './axes.ts'
import { type FrameHeader, readFrameHeader, WINDOW } from './frame.ts'
import { type Moved, View } from './view.ts'

const header: FrameHeader = { room: 0, epochCheck: 0, tick: 0 }

function newView(axes = openAxes(2), epoch = 1): View {
  return new View(axes, 20, epoch)
}

function frame(tick: number, parts: PartToPut[], axes?: readonly Axis[]): Uint8Array {
  const writer = new Writer()
  putFrame(writer, 7, 1, tick, parts, axes)
  return writer.take()
}

function handle(view: View, bytes: Uint8Array, moved: Moved = () => {}): void {
  const reader = new Reader(bytes)
  expect(reader.u8()).toBe(1)
  readFrameHeader(reader, header)
  view.handleFrame(header, reader, moved)
}

function read(view: View, slot: number, generation: number): number[] | undefined {
  const position = new Int32Array(view.axes.length)
  return view.read(slot, generation, position) >= 0 ? [...position] : undefined
}

it('M3: of epochs and generations the low byte is compared', () => {
  const view = newView(openAxes(2), 2 ** 53 - 255)
  handle(view, frame(1, [{ index: 0, entries: [{ slot: 3, generation: 300, position: [5, 6] }] }]))
  expect(view.hasParts).toBe(true)
  expect(read(view, 3, 300)).toEqual([5, 6])
  expect(read(view, 3, 44 + 2 ** 31)).toEqual([5, 6])
  expect(read(view, 3, 45)).toBeUndefined()
  expect([2, 4, 64, 4095].map((slot) => read(view, slot, 300))).toEqual(Array(4).fill(undefined))
})

it('M3: a frame of another epoch is of no use', () => {
  const view = newView(openAxes(2), 2)
  handle(view, frame(1, [{ index: 0, entries: [{ slot: 3, generation: 0, position: [5, 6] }] }]))
  expect([view.hasParts, view.isUnusable, read(view, 3, 0)]).toEqual([false, true, undefined])
})

it('M7: nothing of a faulty frame is acked, nor of the frame before it', () => {
  const view = newView()
  const entries = [{ slot: 0, generation: 0, position: [5, 6] }]
  handle(view, frame(1, [{ index: 0, entries }]))
  expect([view.hasParts, [...view.parts]]).toEqual([true, [1, 0, 0, 0]])
  const known = [{ slot: 0, generation: 0, position: [5, 6] }]
  const first = { index: 0, baseline: 1, known, entries: [] }
  const far = { index: 1, entries: [{ slot: 64, generation: 0, position: [2 ** 20, -(2 ** 20)] }] }
  const twoParts = frame(2, [first, far])
  expect(() => handle(view, twoParts.subarray(0, -6))).toThrow(DecodeError)
  expect(view.hasParts).toBe(false)
  handle(view, twoParts)
  expect([view.hasParts, [...view.parts]], 'the first is a duplicate').toEqual([true, [3, 0, 0, 0]])
})

it('M5, M7: a part that is of no use hides those behind it, and those before it are acked', () => {
  const view = newView()
  const part = (index: number, baseline?: number): PartToPut => ({ index, baseline, entries: [] })
  handle(view, frame(5, [part(0), part(1, 4), part(2)]))
  expect([view.hasParts, view.isUnusable, [...view.parts]]).toEqual([true, true, [1, 0, 0, 0]])
})

it('M5: after a jump nothing is held that was not, or lies more than 32 ticks back', () => {
  const part = { index: 0, entries: [] }
  for (let jump = 1; jump <= 70; jump++) {
    const newest = 100 + jump
    for (let held = newest - 35; held <= newest; held++) {
      const view = newView()
      for (const tick of [97, 99, 100, newest]) handle(view, frame(tick, [part]))
      const isHeld = [97, 99, 100, newest].includes(held) && newest - held <= WINDOW
      handle(view, frame(1000, [{ ...part, baseline: newest, reference: held }]))
      expect(view.hasParts, `${held} as a reference at ${newest}`).toBe(isHeld)
      for (const tick of [97, 99, 100, newest]) handle(view, frame(tick, [part]))
      if (!isHeld) handle(view, frame(1000, [{ ...part, baseline: held }]))
      expect(view.hasParts, `${held} at ${newest}`).toBe(false)
    }
  }
})

it('M5: a slot that a frame without a baseline does not name is not to be seen any more', () => {
  const view = newView()
  const gone: unknown[] = []
  const entry = (slot: number): PartToPut['entries'][0] => ({ slot, generation: 9, position: [slot, 0] })
  handle(view, frame(1, [{ index: 0, entries: [0, 5, 9, 63].map(entry) }]))
  handle(view, frame(2, [{ index: 0, entries: [entry(9)] }]), (slot, generation, position) =>
    gone.push([slot, generation, position && [...position]]),
  )
  expect(gone).toEqual([
    [9, 9, [9, 0]],
    [0, -1, undefined],
    [5, -1, undefined],
    [63, -1, undefined],
  ])
  expect([0, 5, 9, 63].map((slot) => read(view, slot, 9))).toEqual([undefined, undefined, [9, 0], undefined])
})

it.each([
  ['is known', 5],
  ['its part does not have', 64],
])('M2: a new slot that %s is refused', (_, offset) => {
  const view = newView()
  handle(view, frame(1, [{ index: 0, entries: [{ slot: 5, generation: 0, position: [1, 2] }] }]))
  const writer = new Writer()
  writer.bytes(Uint8Array.of(1, 7, 1, 2))
  const encoder = new Encoder()
  putHeader(encoder, undefined, { index: 0, age: 1, lag: 0 })
  putMoved(encoder, [0, 0], 50, false)
  putPlaced(encoder, true, true)
  putNumber(encoder, offset)
  putPlace(encoder, 0, [3, 4])
  putPlaced(encoder, false, false)
  putMore(encoder, false)
  encoder.finish(writer)
  expect(() => handle(view, writer.take())).toThrow(DecodeError)
  expect([view.hasParts, read(view, 5, 0)]).toEqual([false, [1, 2]])
})

it('M6: an angle moves on around its ends', () => {
  const axes = [{ ...OPEN, min: 0, max: 359, wraps: true }]
  const view = newView(axes)
  const at = (value: number): KnownToPut[] => [{ slot: 2, generation: 0, position: [value] }]
  handle(view, frame(1, [{ index: 0, entries: at(340) }], axes))
  handle(view, frame(2, [{ index: 0, baseline: 1, known: at(340), entries: at(355) }], axes))
  const known = [{ slot: 2, generation: 0, position: [355], before: [340] }]
  handle(view, frame(3, [{ index: 0, baseline: 2, reference: 1, known, entries: at(10) }], axes))
  expect(read(view, 2, 0)).toEqual([10])
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
    position: [number, number]
    changed: number
  }
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

  function run(steps: Step[]): void {
    const view = newView()
    const members = new Map<number, Member>()
    const generations = new Map<number, number>()
    const snapshots = new Map<number, Map<number, Member>>()
    const sent = new Map<number, number>()
    const acked = new Map<number, number[]>()
    const held = new Map<number, number>()
    const shown = new Map<number, number[] | undefined>()
    const todo: { at: number; act: () => void }[] = []
    let tick = 0

    const parts = [...new Set(SLOTS.map((slot) => slot >> 6))]
    const part = (index: number): PartToPut => {
      // What the viewer holds for sure: the newest two of what it has acked.
      const oldest = (sent.get(index) ?? 0) - WINDOW
      const [reference, baseline] = [NaN, ...(acked.get(index) ?? [])].filter((tick) => !(tick < oldest)).slice(-2)
      const now = SLOTS.filter((slot) => slot >> 6 === index)
      if (!baseline) return { index, entries: now.flatMap((slot) => ({ slot, ...members.get(slot)! })).filter(isHere) }
      const then = snapshots.get(baseline)!
      const before = snapshots.get(reference || baseline)!
      const known = now.map((slot) => ({ slot, ...then.get(slot)!, before: before.get(slot)?.position })).filter(isHere)
      const entries = now.flatMap((slot) => {
        const member = members.get(slot)
        if (!member) return then.has(slot) ? [{ slot, generation: 0 }] : []
        return member.changed > baseline ? [{ slot, ...member }] : []
      })
      return { index, baseline, reference: reference || undefined, known, entries }
    }

    const deliver = (tick: number, bytes: Uint8Array, put: PartToPut[], up: number[], now: number): void => {
      handle(view, bytes, (slot, generation, position) =>
        shown.set(slot, position ? [generation, ...position] : undefined),
      )
      const brought = put.filter(({ index }) => (view.parts[index >> 5]! >>> (index & 31)) & 1)
      expect(view.isUnusable).toBe(brought.length < put.length)
      expect(view.hasParts).toBe(brought.length > 0)
      for (const part of put) {
        if (tick <= (held.get(part.index) ?? 0)) continue
        // One that is of no use hides those behind it.
        if (!brought.includes(part)) expect(put.indexOf(part)).toBeGreaterThan(brought.length)
        else held.set(part.index, tick)
      }
      for (const [index, tick] of held) {
        for (const slot of SLOTS.filter((slot) => slot >> 6 === index)) {
          const member = snapshots.get(tick)!.get(slot)
          expect(read(view, slot, member?.generation ?? generations.get(slot) ?? 0)).toEqual(member?.position)
          expect(shown.get(slot)).toEqual(member && [member.generation % 256, ...member.position])
        }
      }
      const ack = (): void => {
        for (const { index } of brought) {
          const ticks = new Set([...(acked.get(index) ?? []), tick])
          acked.set(
            index,
            [...ticks].sort((a, b) => a - b),
          )
        }
      }
      for (const delay of up) todo.push({ at: now + delay, act: ack })
    }

    for (const [now, { ticks, moves, down, up }] of steps.entries()) {
      tick += ticks
      for (const { slot, to, what } of moves) {
        const generation = (generations.get(slot) ?? 250 + now) + Number(what === 'replace')
        generations.set(slot, generation)
        if (what === 'leave') members.delete(slot)
        else members.set(slot, { generation, position: to, changed: tick })
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

  function isHere(one: { position?: readonly number[] }): boolean {
    return one.position !== undefined
  }
})

describe('bytes that no server sends', () => {
  const AXES: Axis[] = [
    OPEN,
    { ...OPEN, min: -100, max: 100 },
    { ...OPEN, min: 0, max: 359, wraps: true },
    { ...OPEN, min: 5, max: 5, wraps: true },
  ]
  const entry = fc.record({ slot: fc.nat(31), generation: fc.nat(255), to: fc.array(fc.nat(300), { minLength: 4 }) })
  const entries = fc
    .uniqueArray(entry, { maxLength: 6, selector: ({ slot }) => slot })
    .map((entries) => entries.sort((a, b) => a.slot - b.slot))
  const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 })
  // What the first frame has said is known to the second.
  const pairs = fc
    .tuple(fc.integer({ min: 1, max: 4 }), entries, entries, changes)
    .map(([count, then, now, changes]) => {
      const axes = AXES.slice(0, count)
      const at = (entries: typeof then): KnownToPut[] =>
        entries.map(({ slot, generation, to }) => ({
          slot,
          generation,
          position: axes.map((axis, at) => Math.min(Math.max(to[at]!, axis.min), axis.max)),
        }))
      const second = frame(2, [{ index: 0, baseline: 1, known: at(then), entries: at(now) }], axes)
      for (const [at, byte] of changes) second[4 + (at % (second.length - 4))] = byte
      return { axes, datagrams: [frame(1, [{ index: 0, entries: at(then) }], axes), second] }
    })
  const tails = fc.array(fc.tuple(fc.nat(3), fc.uint8Array({ maxLength: 120 })), { maxLength: 20 })

  it('M1, M2: are refused by DecodeError alone, and leave no position out of range', () => {
    fc.assert(
      fc.property(pairs, tails, ({ axes, datagrams }, tails) => {
        const random = tails.map(([age, tail]) => Uint8Array.of(1, 7, 1, 3 + age, ...tail))
        handleAll(axes, [...datagrams, ...random])
      }),
      { numRuns: 500 },
    )
  })

  function handleAll(axes: Axis[], datagrams: Uint8Array[]): void {
    const view = newView(axes)
    for (const bytes of datagrams) {
      try {
        handle(view, bytes, (slot, generation, position) => {
          expect(slot).toBeLessThan(4096)
          expect(generation & 255).toBe(position ? generation : 255)
          axes.forEach(({ min, max }, axis) => {
            if (!position) return
            expect(position[axis]).toBeGreaterThanOrEqual(min)
            expect(position[axis]).toBeLessThanOrEqual(max)
          })
        })
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
      }
    }
  }
})
