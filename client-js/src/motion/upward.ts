// What a client sends in datagrams: samples of its own motion, and acks of the frames that it decoded (rules M7, M8).

import type { Writer } from '../wire/bytes.ts'
import { ACK, SAMPLE } from './frame.ts'

/** Appends where the client's own member is; `number` is that of the sample, rising over all rooms (rule M9). */
export function putSample(writer: Writer, room: number, number: number, position: Int32Array, axes: number): void {
  writer.u8(SAMPLE)
  writer.varint(room)
  writer.varint(number)
  for (let axis = 0; axis < axes; axis++) writer.zigzag(position[axis]!)
}

/** Appends which parts of a tick's frame the client holds: part i is bit `i & 31` of the word `i >> 5`. */
export function putAck(writer: Writer, room: number, tick: number, parts: Uint32Array): void {
  writer.u8(ACK)
  writer.varint(room)
  writer.varint(tick)
  // A varint of 128 bits, at most 19 groups of 7.
  let last = 18
  while (last > 0 && group(parts, last) === 0) last--
  for (let index = 0; index < last; index++) writer.u8(group(parts, index) | 0x80)
  writer.u8(group(parts, last))
}

function group(parts: Uint32Array, index: number): number {
  const word = (index * 7) >> 5
  const shift = (index * 7) & 31
  // Shifted twice, since a shift by 32 would shift by nothing.
  const above = ((parts[word + 1] ?? 0) << 1) << (31 - shift)
  return ((parts[word]! >>> shift) | above) & 0x7f
}
