// What the application's own types are, and what it reads of rooms: plain data, apart from the objects that do things.

import type { Viewport } from './wire/control.ts'
import type { Fields, Value } from './wire/msgpack.ts'

export type { Fields, Value, Viewport }

/**
 * Declare your types once, and every room has them. Interfaces are fine.
 *
 * ```ts
 * declare module '@hither/client' {
 *   interface Register {
 *     Presence: { name: string; color: number }
 *     Events: { reaction: { emoji: string } }
 *     Record: { text: string; x: number; y: number }
 *   }
 * }
 * ```
 */
export interface Register {}

/** The types of a room: of presence, of events' data by name, and of records. */
export interface RoomTypes {
  /** The fields of a member's presence. */
  Presence: object
  /** The data of each event, by the event's name. */
  Events: object
  /** The fields of a record. */
  Record: object
}

/** The types that `Register` declares, and `Fields` or `Value` for those that it does not. */
export interface RegisteredTypes {
  /** The fields of a member's presence. */
  Presence: Register extends { Presence: infer P extends object } ? P : Fields
  /** The data of each event, by the event's name. */
  Events: Register extends { Events: infer E extends object } ? E : Fields
  /** The fields of a record. */
  Record: Register extends { Record: infer R extends object } ? R : Fields
}

/** Where a room or a client stands. `initial`: nothing was asked for yet; `disconnected`: it does not try again. */
export type Status = 'initial' | 'connecting' | 'connected' | 'reconnecting' | 'disconnected'

/** Whether a member is there: `away` does not look, `lost` has no connection and may still come back. */
export type MemberStatus = 'active' | 'away' | 'lost'

/** A member of a room. It is never changed: a member that changes is a new object. */
export interface User<T extends RoomTypes = RegisteredTypes> {
  /** Names the member as long as it is in the room; another stay has another number. */
  readonly connectionId: number
  /** Who it is, by the server's word. Two tabs of one user have the same `id`. */
  readonly id: string
  /** What the server knows of the user; a client can't write it. */
  readonly info: { readonly name?: string | undefined }
  /** What the member says of itself. */
  readonly presence: Readonly<T['Presence']>
  /** Whether it is there. */
  readonly status: MemberStatus
}

/** This client as a member. */
export interface Self<T extends RoomTypes = RegisteredTypes> extends User<T> {
  /** Whether it may edit records. */
  readonly canWrite: boolean
}

/** What happened to the others; `reset`: all of them are new, as after entering the room. */
export type OthersChange<T extends RoomTypes = RegisteredTypes> =
  { readonly type: 'reset' } | { readonly type: 'enter' | 'leave' | 'update'; readonly user: User<T> }

/** A patch: fields that it does not name stay, and null removes one. */
export type Patch<T> = { readonly [K in keyof T]?: T[K] | null }

/** Which event to all it is, of those that a room ever had. Which of two epochs was earlier, it does not say. */
export interface EventId {
  /** The room's life in which it was sent. */
  readonly epoch: number
  /** Its number in that, from 1. */
  readonly number: number
}

/** What any event says. */
export type EventContent<T extends RoomTypes = RegisteredTypes> = {
  [K in keyof T['Events'] & string]: {
    /** What happened. */
    readonly name: K
    /** Its data. Another client may have another version of your types: look before you trust it. */
    readonly data: T['Events'][K]
    /** When the server took it, in milliseconds since the Unix epoch. */
    readonly time: number
  }
}[keyof T['Events'] & string]

/** An event that another member sent. */
export type RoomEvent<T extends RoomTypes = RegisteredTypes> = EventContent<T> & {
  /** Which one it is; `null` if it was for some members alone. */
  readonly id: EventId | null
  /** Who sent it; `null` if the sender is gone already. */
  readonly user: User<T> | null
}

/** An event to all that the server keeps, of anybody. */
export type PastEvent<T extends RoomTypes = RegisteredTypes> = EventContent<T> & {
  /** Which one it is, as it was told. */
  readonly id: EventId
  /** Who sent it, as the server knew the user then. */
  readonly user: Pick<User<T>, 'id' | 'info'>
}

/** Which events are looked up. */
export interface EventHistoryOptions {
  /** What is looked up. */
  readonly of: 'events'
  /** Those before this one. Default: the latest. */
  readonly before?: EventId | undefined
  /** So many at most, 1 to 100; fewer come where the answer would be too long. Default: 50. */
  readonly limit?: number | undefined
}

/** Ends a subscription; calling it again does nothing. */
export type Unsubscribe = () => void
