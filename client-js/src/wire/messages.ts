// What a client says and hears on its two reliable lanes, as bytes and back.

import { controlToClient, controlToServer, type ToClient, type ToServer } from './control.ts'
import { editsToClient, editsToServer, type EditsToClient, type EditsToServer } from './edits.ts'
import { decodeMessage, encodeMessage } from './lane.ts'

export type { EventMessage, MemberMessage, ToClient, ToServer, UserMessage } from './control.ts'
export type { EditMessage, EditsToClient, EditsToServer, Op, RecordMessage } from './edits.ts'

/**
 * The bytes of a message, to be written to the control lane as they are. Throws `TypeError` for user's data that can't
 * be sent, and `RangeError` if there is more of it than a message holds.
 */
export function encodeControl(message: ToServer): Uint8Array<ArrayBuffer> {
  return encodeMessage(controlToServer, message)
}

/**
 * Reads a message of the control lane, without its length. `undefined` is a kind of a later version, which is skipped.
 * Throws `DecodeError` for what is no message.
 */
export function decodeControl(bytes: Uint8Array): ToClient | undefined {
  return decodeMessage(controlToClient, bytes)
}

/** As `encodeControl`, for an edits lane. */
export function encodeEdits(message: EditsToServer): Uint8Array<ArrayBuffer> {
  return encodeMessage(editsToServer, message)
}

/** As `decodeControl`, for an edits lane. */
export function decodeEdits(bytes: Uint8Array): EditsToClient | undefined {
  return decodeMessage(editsToClient, bytes)
}
