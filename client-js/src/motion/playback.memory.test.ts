// What playing motion allocates: nothing for a move, and nothing for a picture.

import { beforeEach, expect, it } from 'vitest'
import { RoomCursors } from '../cursors.ts'
import type { Membership } from '../session/membership.ts'
import { allocatedByEach } from '../testing/allocated.ts'
import type { Axis } from './axes.ts'
import { PlayClock } from './playback.ts'

const AXIS: Axis = { step: 0.5, min: -(2 ** 30), max: 2 ** 30 - 1, wraps: false }
const AXES = [AXIS, AXIS]
const HZ = 60
const CURSORS = 64

interface Frame {
  readonly now: number
  readonly tick: number
  readonly position: Int32Array
}

function frame(tick: number): Frame {
  return { now: tick * 16.7, tick, position: Int32Array.of(tick, tick % 40) }
}

const members = Array.from({ length: CURSORS }, (_, slot) => ({ slot, generation: 0 }))
let clock: PlayClock
let cursors: RoomCursors
let last: Frame

beforeEach(() => {
  clock = new PlayClock(HZ)
  cursors = new RoomCursors(() => {})
  cursors.handleMembership({ clock, view: { axes: AXES } } as unknown as Membership)
  last = frame(1)
})

function makeFrame(): Frame {
  return (last = frame(last.tick + 1))
}

function takeFrame({ now, tick, position }: Frame): void {
  clock.handleFrame(now, tick)
  for (let slot = 0; slot < CURSORS; slot++) cursors.handleMotion(members[slot]!, tick, position, AXES)
}

// A number with a fraction takes 16 bytes wherever a function that was not inlined returns it.

it('the moves of 64 cursors in 20,000 frames allocate no more than the engine does for times', () => {
  expect(allocatedByEach(makeFrame, takeFrame) / CURSORS).toBeLessThan(64)
})

it('nor do 20,000 pictures of them', () => {
  takeFrame(makeFrame())
  takeFrame(makeFrame())
  const sum = new Float64Array(1)
  const take = ({ now }: Frame): void => {
    for (let slot = 0; slot < CURSORS; slot++) sum[0]! += cursors.sample(slot, now)!.x
  }
  expect(allocatedByEach(makeFrame, take) / CURSORS).toBeLessThan(64)
  expect(sum[0]).toBeGreaterThan(0)
})
