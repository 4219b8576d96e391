// The limits of the wire that the client itself keeps (rule L1); the server tells it of the others when it meets them.

/** Longest message on a stream, in bytes, its length prefix not counted. */
export const MESSAGE_BYTES_MAX = 65_536
/** Most members of a room; slots lie below it. */
export const MEMBERS_MAX = 4_096
/** Most ticks of a room in a second. */
export const TICK_HZ_MAX = 250
/** Most axes of a position. */
export const AXES_MAX = 4
/** Longest presence, in bytes. */
export const PRESENCE_BYTES_MAX = 4_096
/** Most bytes of an edit, and of a record. */
export const RECORD_BYTES_MAX = 61_440
/** Most operations of an edit. */
export const EDIT_OPS_MAX = 64
/** Most edits of an editor that are submitted and not answered. */
export const EDITS_UNANSWERED_MAX = 64
/** For how long a server knows an editor's numbers, in milliseconds (rule D7). */
export const EDITOR_MS = 86_400_000
