// What stands before a frame's parts, and the numbers that both directions of motion share (rules M1 to M5).

import { DecodeError, type Reader } from '../wire/bytes.ts'

/** The kinds of the records of a datagram (rule M1). */
export const FRAME = 1
export const SAMPLE = 2
export const ACK = 3

/** How many ticks back a baseline may lie from the newest tick held (rule M5). */
export const WINDOW = 32

/** An axis of a position lies from minus this to one below it, in steps (rule M2). */
export const AXIS_LIMIT: number = 2 ** 30

/** How many slots a part spans in a room of 1 to 4 axes (rule M4). */
export function slotsPerPart(axes: number): number {
  return axes <= 2 ? 64 : 32
}

/** Whether a position may have this value on an axis (rule M2). */
export function isOnAxis(value: number): boolean {
  return value >= -AXIS_LIMIT && value < AXIS_LIMIT
}

/** What stands before a frame's parts. */
export interface FrameHeader {
  /** The room's handle. */
  room: number
  /** The low byte of the room's epoch. */
  epochCheck: number
  /** The tick whose state the parts have. */
  tick: number
  /** How many parts follow, 1 to 128. */
  parts: number
}

/**
 * Reads a frame's header from behind its kind, into an object that does for all frames.
 * Throws `DecodeError` if it is cut short, or says a number of parts that no room has.
 */
export function readFrameHeader(reader: Reader, into: FrameHeader): void {
  into.room = reader.varint()
  into.epochCheck = reader.u8()
  into.tick = reader.varint()
  into.parts = reader.varint()
  if (into.parts < 1 || into.parts > 128) throw new DecodeError()
}
