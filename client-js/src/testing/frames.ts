// Writes frames as a server would, for tests of those who read them (rules M3 to M6).

import { FRAME, slotsPerPart } from '../motion/frame.ts'
import type { Writer } from '../wire/bytes.ts'

/** A part of a frame; its entries are in the order of their slots. */
export interface PartToPut {
  index: number
  /** The tick that differences are against; 0: none. */
  baseline: number
  entries: EntryToPut[]
}

/** Where a slot is. With a generation it is absolute, else `values` are differences. */
export interface EntryToPut {
  slot: number
  generation?: number
  values: readonly number[]
}

/** Appends the frame of a tick above 0. */
export function putFrame(writer: Writer, room: number, epoch: number, tick: number, parts: PartToPut[]): void {
  writer.u8(FRAME)
  writer.varint(room)
  writer.u8(epoch % 256)
  writer.varint(tick)
  writer.varint(parts.length)
  for (const { index, baseline, entries } of parts) {
    writer.varint(index)
    writer.varint(baseline && tick - baseline)
    writer.varint(entries.length)
    let next = -1
    for (const { slot, generation, values } of entries) {
      if (next < 0) next = index * slotsPerPart(values.length)
      const absolute = generation !== undefined
      writer.varint((slot - next) * 2 + Number(absolute))
      if (absolute) writer.u8(generation % 256)
      for (const value of values) writer.zigzag(value)
      next = slot + 1
    }
  }
}
