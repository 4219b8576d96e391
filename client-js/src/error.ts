// The one class of errors that an application sees, and how what the server says becomes one.

import type { Refusal } from './session/membership.ts'
import { refusalName } from './wire/codes.ts'

/** What failed: the connection, entering a room, something said in a room, or an edit. */
export type RoomErrorType = 'connection' | 'entry' | 'room' | 'edit'

/** Where an error belongs. */
export interface RoomErrorContext {
  /** The room's name, if it is about one. */
  readonly room?: string | undefined
  /** The code by which the server closed the connection, if it did. */
  readonly closeCode?: number | undefined
}

/** What went wrong, as every part of the client says it. */
export class RoomError extends Error {
  /** `RoomError`, as of every one. */
  override readonly name = 'RoomError'
  /** What failed. */
  readonly type: RoomErrorType
  /**
   * Why, for programs: the name of a refusal, like `forbidden` or `rate_limited`, or `not_connected`, `connect_failed`,
   * `connection_lost`, `closed`, `protocol`, `too_large`, `auth_failed`.
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
    more: { retryable?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super(message)
    this.type = type
    this.code = code
    this.context = context
    this.retryable = more.retryable ?? false
    this.retryAfterMs = more.retryAfterMs
  }
}

/** A refusal by the server (rule E1). */
export function refused(type: RoomErrorType, refusal: Refusal, room: string): RoomError {
  const code = refusalName(refusal.code)
  const { retryAfterMs } = refusal
  const retryable = retryAfterMs !== undefined || code === 'unavailable' || code === 'room_closed'
  return new RoomError(type, code, refusal.message || code, { room }, { retryable, retryAfterMs })
}

/** Nothing was sent, as there is no membership to send it in. */
export function notConnected(type: RoomErrorType, room: string): RoomError {
  return new RoomError(type, 'not_connected', 'not in the room', { room }, { retryable: true })
}
