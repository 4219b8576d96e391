// The entries of a part as they are coded, apart from what they mean: another coding changes this file alone (rule M6).

import { DecodeError, type Reader } from '../wire/bytes.ts'
import { isOnAxis, slotsPerPart } from './frame.ts'

/**
 * How many numbers of an entry come before its values: the slot's place in its part, and the low byte of the
 * generation, or `DELTA`.
 */
export const HEAD = 2

/** Stands for the generation of an entry whose values are differences to the baseline. */
export const DELTA = -1

/**
 * Reads a part's entries into `into`, each as `HEAD` numbers and a value for each axis, and returns how many they are,
 * at most one for each slot of the part. Throws `DecodeError` if they are cut short, or name slots or positions that
 * can't be.
 */
export function readEntries(reader: Reader, axes: number, into: Int32Array): number {
  const slots = slotsPerPart(axes)
  const count = reader.varint()
  let next = 0
  for (let entry = 0, at = 0; entry < count; entry++) {
    const head = reader.varint()
    const place = next + (head >>> 1)
    // With more entries than slots a place is out of range before `into` is full.
    if (place >= slots) throw new DecodeError()
    next = place + 1
    const absolute = head & 1
    into[at++] = place
    into[at++] = absolute ? reader.u8() : DELTA
    for (let axis = 0; axis < axes; axis++) {
      const value = reader.zigzag()
      if (absolute && !isOnAxis(value)) throw new DecodeError()
      into[at++] = value
    }
  }
  return count
}
