// A lane's messages as bytes, `[kind, body]`, and back; what the messages are say the lanes' own tables.

import { DecodeError, Reader, Writer } from './bytes.ts'
import { frame } from './framing.ts'
import { ARRAY, decodeInteger, decodeLength, decodeValue, encodeValue, type Fields } from './msgpack.ts'
import type { Type } from './schema.ts'

/** The messages of one direction of a lane: each one's kind and body. */
export type Lane<M extends Message> = {
  readonly [T in M['type']]: readonly [kind: number, body: Type<Omit<Extract<M, { type: T }>, 'type'>>]
}

interface Message {
  readonly type: string
}

/** Most bytes of a kind. */
const KIND_BYTES_MAX = 3

/** What a client says: a kind, and a body with the short keys of docs/PROTOCOL.md. What is undefined is left out. */
export type Said = readonly [kind: number, body: object]

/**
 * The bytes of a message, with its length before them, to be written to its lane as they are. Throws `TypeError` for
 * user's data that can't be sent, and `RangeError` if there is more of it than a message holds.
 */
export function encodeMessage(message: Said): Uint8Array<ArrayBuffer> {
  const writer = new Writer()
  encodeValue(writer, message)
  return frame(writer.take())
}

/** A map, or nothing if there is nothing in it: that is how a default is written (rule F6). */
export function unlessEmpty(map: Fields): Fields | undefined {
  return Object.keys(map).length ? map : undefined
}

/** Reads one message, without its length. `undefined` is a kind of a later version, which is skipped (rule F5). */
export function decodeMessage<M extends Message>(lane: Lane<M>, bytes: Uint8Array): M | undefined {
  const reader = new Reader(bytes)
  const length = decodeLength(reader, ARRAY, 0)
  const before = reader.left
  const kind = decodeInteger(reader, 0, 2 ** 16 - 1)
  if (length < 2 || before - reader.left > KIND_BYTES_MAX) throw new DecodeError()
  const type = (Object.keys(lane) as M['type'][]).find((type) => lane[type][0] === kind)
  const body = type ? lane[type][1].read(reader, 1) : decodeValue(reader, 1)
  for (let element = 2; element < length; element++) decodeValue(reader, 1)
  if (reader.left > 0) throw new DecodeError()
  return type && ({ type, ...(body as object) } as M)
}
