// The one class of errors that an application sees, and how what the server says becomes one.

import type { Refusal } from './session/membership.ts'
import { refusalName } from './wire/codes.ts'

/** What failed: the connection, entering a room, something said in a room, or an edit. */
export type RoomErrorType = 'connection' | 'entry' | 'room' | 'edit'

/** Where an error belongs. */
export interface RoomErrorContext {
  /** The room's name, if it is about one. */
  readonly room?: string | undefined
  /** The close code, if there is one: the server's, or 4001 when it broke the protocol. */
  readonly closeCode?: number | undefined
  /** Of `too_large`, if it is known: what it is over. */
  readonly limit?: number | undefined
  /** Of `too_large`: what that would be; of `conflict`: the version that the record has, 0 for none. */
  readonly value?: number | undefined
}

/** What went wrong, as every part of the client says it. */
export class RoomError extends Error {
  /** `RoomError`, as of every one. */
  override readonly name = 'RoomError'
  /** What failed. */
  readonly type: RoomErrorType
  /**
   * Why, for programs: the name of a refusal, like `forbidden`, `rate_limited` or `too_large`; `not_connected` when
   * nothing was sent; `closed` when the server said a close code, and `connection_lost` for every other end.
   */
  readonly code: string
  /** Where it belongs. */
  readonly context: RoomErrorContext
  /** When it came about here, in milliseconds since the Unix epoch. */
  readonly timestamp: number = Date.now()
  /** Whether the same may go well later. */
  readonly retryable: boolean
  /** How long to wait before, in milliseconds, if the server says so. */
  readonly retryAfterMs: number | undefined

  constructor(
    type: RoomErrorType,
    code: string,
    message: string,
    context: RoomErrorContext,
    retryable: boolean,
    retryAfterMs?: number,
  ) {
    super(message)
    this.type = type
    this.code = code
    this.context = context
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
  }
}

/** A refusal by the server (rule E1). */
export function refused(type: RoomErrorType, refusal: Refusal, room: string): RoomError {
  const code = refusalName(refusal.code)
  const { limit, value, retryAfterMs } = refusal
  const retryable = retryAfterMs !== undefined || /unavailable|closed/.test(code)
  return new RoomError(type, code, refusal.message || code, { room, limit, value }, retryable, retryAfterMs)
}

/** Nothing was sent, as there is no membership to send it in. */
export function notConnected(type: RoomErrorType, room: string): RoomError {
  return new RoomError(type, 'not_connected', 'not in the room', { room }, true)
}
