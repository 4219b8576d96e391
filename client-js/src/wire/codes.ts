// What the numbers of closes and refusals mean to a client, apart from the messages that carry them.

/** What a client does after a close: it stays closed, it gets a new token and connects again, or it connects again. */
export type AfterClose = 'stop' | 'token' | 'retry'

/** What the range of a close code asks for, known or not; a close without a code is a connection that was lost (C2). */
export function afterClose(code?: number): AfterClose {
  if (code === undefined || (code >= 4200 && code < 4300)) return 'retry'
  return code >= 4100 && code < 4200 ? 'token' : 'stop'
}

/** Why something was refused while the connection lives on. */
export type RefusalName = (typeof REFUSALS)[number]

/** The name of a refusal's code; one that this version does not know is a `bad_request` (E1). */
export function refusalName(code: number): RefusalName {
  return REFUSALS[code - 1] ?? REFUSALS[0]
}

/** By code, from 1. */
const REFUSALS = [
  'bad_request',
  'forbidden',
  'not_found',
  'room_full',
  'rate_limited',
  'too_large',
  'too_many_rooms',
  'already_joined',
  'unavailable',
  'room_closed',
  'no_record',
  'conflict',
  'invalid',
] as const
