// The types that messages are made of, and how each is read, strictly (rule F6).

import { DecodeError, type Reader } from './bytes.ts'
import { MEMBERS_MAX } from './limits.ts'
import {
  ARRAY,
  decodeFields,
  decodeInteger,
  decodeItems,
  decodeLength,
  decodeText,
  decodeValue,
  type Fields,
  MAP,
  NIL,
  type Value,
} from './msgpack.ts'

/** How values of a type are read. */
export interface Type<T> {
  /**
   * Reads one; `depth` is how many arrays and maps it lies in. Throws `DecodeError` for a value of another type or out
   * of its range.
   */
  read(reader: Reader, depth: number): T
  /** What a missing key stands for; a type without it has to be there. */
  missing?(): T
  /** What it is made of: the fields of a map, the type of a list's items, the two types of a pair. */
  readonly of?: unknown
}

/** A type of which no value may be there. */
export type Missable<T> = Type<T> & { missing(): T }

/** A field of a map: its key and its type. */
export type Field<T = number> = readonly [key: string, type: undefined extends T ? Missable<T> : Type<T>]

/** The fields of a map, in the order of the specification's tables. */
export type Shape<T> = { readonly [K in keyof T]-?: Field<T[K]> }

/** A map with the protocol's own keys. Keys that it does not know are skipped. */
export function struct<T extends object>(shape: Shape<NoInfer<T>>): Type<T> {
  const fields = Object.entries(shape) as [keyof T, Field<T[keyof T]>][]
  return {
    of: shape,
    read(reader, depth) {
      const result: Partial<T> = {}
      const missing = new Map(fields.map(([name, [key, type]]) => [key, { name, type }]))
      decodeItems(reader, MAP, depth, (_, inner) => {
        const key = decodeText(reader)
        const field = missing.get(key)
        if (field) result[field.name] = field.type.read(reader, inner)
        // A key of a later version is skipped, and one of ours that comes twice is refused.
        else if (fields.some(([, [known]]) => known === key)) throw new DecodeError()
        else decodeValue(reader, inner)
        missing.delete(key)
      })
      for (const { name, type } of missing.values()) {
        if (!type.missing) throw new DecodeError()
        result[name] = type.missing()
      }
      return result as T
    },
  }
}

/** A list. */
export function list<T>(type: Type<T>): Type<T[]> {
  return { of: type, read: (reader, depth) => decodeItems(reader, ARRAY, depth, type.read) }
}

/** A list of two. */
export function pair<A, B>(first: Type<A>, second: Type<B>): Type<[A, B]> {
  return {
    of: [first, second],
    read(reader, depth) {
      if (decodeLength(reader, ARRAY, depth) !== 2) throw new DecodeError()
      return [first.read(reader, depth + 1), second.read(reader, depth + 1)]
    },
  }
}

/** The type of a key that may be missing, and then stands for this. */
export function or<T>(type: Type<T>, missing: () => T): Missable<T> {
  return { ...type, missing }
}

/** The type of a key that may be missing or nil. */
export function optional<T>(type: Type<T>): Missable<T | undefined> {
  return {
    read: (reader, depth) => (reader.peek() === NIL ? void reader.u8() : type.read(reader, depth)),
    of: type.of,
    missing: () => undefined,
  }
}

/** An integer from `min` to `max`. */
export function integer(max: number, min: number = 0): Type<number> {
  return { read: (reader) => decodeInteger(reader, min, max) }
}

/** A string. How long it may be is the receiver's affair: a client keeps what its server sends. */
export const text: Type<string> = { read: decodeText }
/** A user's value. */
export const any: Type<Value> = { read: decodeValue }
/** A user's map. */
export const map: Type<Fields> = { read: decodeFields }
/** A user's map that may be missing, and is empty then. */
export const mapOrNone: Missable<Fields> = or(map, () => ({}))
/** A list that may be missing, and is empty then. */
export function listOrNone<T>(type: Type<T>): Missable<T[]> {
  return or(list(type), () => [])
}

/** A flag that may be missing, and is off then. */
export const flag: Missable<boolean> = or(
  {
    read(reader) {
      const value = decodeValue(reader)
      if (typeof value !== 'boolean') throw new DecodeError()
      return value
    },
  },
  () => false,
)

/** A number above 0. */
export const positive: Type<number> = {
  read(reader) {
    const value = decodeValue(reader)
    if (!(typeof value === 'number' && value > 0 && value < Infinity)) throw new DecodeError()
    return value
  },
}

/** Binary data, copied. */
export const binary: Type<Uint8Array> = {
  read(reader) {
    const value = decodeValue(reader)
    if (!(value instanceof Uint8Array)) throw new DecodeError()
    return value
  },
}

/** An integer of 8 bits. */
export const u8: Type<number> = integer(2 ** 8 - 1)
/** An integer of 32 bits. */
export const u32: Type<number> = integer(2 ** 32 - 1)
/** A slot of a room. */
export const slot: Type<number> = integer(MEMBERS_MAX - 1)
/** An integer that every language's numbers hold. */
export const int: Type<number> = integer(Number.MAX_SAFE_INTEGER)
