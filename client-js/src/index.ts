// The public names of @hither/client, all of them and nothing else.

export {
  createClient,
  type Client,
  type ClientListeners,
  type ClientOptions,
  type EnterOptions,
  type Entry,
} from './client.ts'
export type { Cursor, Cursors, Point } from './cursors.ts'
export { RoomError, type RoomErrorContext, type RoomErrorType } from './error.ts'
export type { EditQueue, RoomQueue } from './edit-queue.ts'
export type { Editor } from './edits/edits.ts'
export type { PendingEdit, Resolve } from './edits/pending.ts'
export type {
  Edited,
  EditOptions,
  History,
  HistoryOptions,
  Increments,
  PastEdit,
  PutOptions,
  RecordOp,
  Records,
  StorageStatus,
  SubmittedEdit,
} from './records.ts'
export type { Room, RoomListeners } from './room.ts'
export type { RecordsReader } from './selections.ts'
export type { RoomStats } from './stats.ts'
export type { Op } from './wire/edits.ts'
export type { Transports } from './transport/race.ts'
export type { Connect, Transport, TransportHandler, TransportStream } from './transport/transport.ts'
export type {
  EventContent,
  EventHistoryOptions,
  EventId,
  Fields,
  MemberStatus,
  OthersChange,
  PastEvent,
  Patch,
  Register,
  RegisteredTypes,
  RoomEvent,
  RoomTypes,
  Self,
  Status,
  Unsubscribe,
  User,
  Value,
  Viewport,
} from './types.ts'
