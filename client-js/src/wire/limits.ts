// The limits of the wire that the client itself keeps (rule L1); the server tells it of the others when it meets them.

/** Longest message on a stream, in bytes, its length prefix not counted. */
export const MESSAGE_BYTES_MAX = 65_536
/** Longest datagram, in bytes. */
export const MOTION_DATAGRAM_BYTES_MAX = 1_000
/** Most records of an upward datagram. */
export const DATAGRAM_RECORDS_MAX = 64
/** Most rooms that one session may be in. */
export const ROOMS_MAX = 16
/** Most members of a room; slots lie below it. */
export const MEMBERS_MAX = 4_096
/** Most axes of a position. */
export const AXES_MAX = 4
/** Most levels of arrays and maps in a user's value. */
export const DEPTH_MAX = 8
/** Longest id of a user, in bytes. */
export const USER_ID_BYTES_MAX = 128
/** Longest display name of a user, in bytes. */
export const USER_NAME_BYTES_MAX = 64
/** Longest name of an event, in bytes. */
export const EVENT_NAME_BYTES_MAX = 64
/** Longest id of a record, in bytes. */
export const RECORD_ID_BYTES_MAX = 128
