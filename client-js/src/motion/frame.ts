// What stands before a frame's parts, and the numbers that both directions of motion share (rules M1 to M5).

import type { Reader } from '../wire/bytes.ts'

/** The kinds of the records of a datagram (rule M1). */
export const FRAME = 1
export const SAMPLE = 2
export const ACK = 3

/** How many ticks back a baseline, or the reference before it, may lie from the newest tick held (rule M5). */
export const WINDOW = 32

/** What stands before a frame's parts, which go to the end of the datagram. */
export interface FrameHeader {
  /** The room's handle. */
  room: number
  /** The low byte of the room's epoch. */
  epochCheck: number
  /** The tick whose state the parts have. */
  tick: number
}

/**
 * Reads a frame's header from behind its kind, into an object that does for all frames.
 * Throws `DecodeError` if it is cut short.
 */
export function readFrameHeader(reader: Reader, into: FrameHeader): void {
  into.room = reader.varint()
  into.epochCheck = reader.u8()
  into.tick = reader.varint()
}
