// MessagePack within the protocol's bounds (rules F3, F4): no ext, keys that are strings, integers that a number holds.

import { DecodeError, toUtf8, type Reader, type Writer } from './bytes.ts'

/** What messages carry: JSON and binary data. */
export type Value = null | boolean | number | string | Uint8Array | readonly Value[] | Fields

/** A map of values. Its keys may be any strings, `__proto__` too. */
export interface Fields {
  readonly [key: string]: Value
}

/**
 * How a type holds a number that is not negative, mostly a length: a small one within the first byte, others behind it.
 */
export interface Form {
  /** The first byte with 0 in it. */
  readonly fix: number
  /** How many numbers fit the first byte. */
  readonly fixCount: number
  /** The first byte when the number follows in the first of `sizes`; the others have the next ones. */
  readonly code: number
  /** In bytes. */
  readonly sizes: readonly number[]
}

/** The head of a map: how many entries it has. */
export const MAP: Form = { fix: 0x80, fixCount: 16, code: 0xde, sizes: [2, 4] }
/** The head of an array: how many items it has. */
export const ARRAY: Form = { fix: 0x90, fixCount: 16, code: 0xdc, sizes: [2, 4] }
const TEXT: Form = { fix: 0xa0, fixCount: 32, code: 0xd9, sizes: [1, 2, 4] }
const BINARY: Form = { fix: 0, fixCount: 0, code: 0xc4, sizes: [1, 2, 4] }
const UINT: Form = { fix: 0, fixCount: 128, code: 0xcc, sizes: [1, 2, 4, 8] }
/** Integers below 0. Those of the first byte are its two's complement. */
const INT: Form = { ...UINT, fix: 0xe0, fixCount: 32, code: 0xd0 }
/** The byte that is nil. */
export const NIL = 0xc0
const FALSE = 0xc2
const TRUE = 0xc3
const F32 = 0xca
const F64 = 0xcb

/** Most arrays and maps with something in them, one in the other, in a whole message. */
const NESTING_MAX = 16

/**
 * Reads one value; `depth` is how many arrays and maps it lies in. Lengths are checked against the bytes that are left,
 * and binary data is copied. Throws `DecodeError` for what the protocol does not allow.
 */
export function decodeValue(reader: Reader, depth: number = 0): Value {
  const head = reader.peek()
  if (isOf(MAP, head)) return decodeFields(reader, depth)
  if (isOf(ARRAY, head)) return decodeItems(reader, ARRAY, depth, decodeValue)
  if (isOf(TEXT, head)) return decodeText(reader)
  if (isOf(BINARY, head)) return reader.bytes(decodeHead(reader, BINARY)).slice()
  if (isOf(UINT, head)) return safe(decodeHead(reader, UINT))
  if (head >= INT.fix) return reader.int(1)
  reader.u8()
  if (isOf(INT, head)) return safe(reader.int(2 ** (head - INT.code)))
  switch (head) {
    case NIL:
      return null
    case FALSE:
    case TRUE:
      return head === TRUE
    case F32:
      return reader.float(4)
    case F64:
      return reader.float(8)
  }
  throw new DecodeError()
}

/** Reads a user's map. If a key comes twice, the last one counts. */
export function decodeFields(reader: Reader, depth: number = 0): Fields {
  // Assigned one by one, the key `__proto__` would let the peer choose the object's prototype.
  return Object.fromEntries(
    decodeItems(reader, MAP, depth, (reader, depth) => [decodeText(reader), decodeValue(reader, depth)]),
  )
}

/** Reads an array or a map; `item` reads an item, or a key and its value, and gets the depth inside. */
export function decodeItems<T>(
  reader: Reader,
  form: Form,
  depth: number,
  item: (reader: Reader, depth: number) => T,
): T[] {
  const items: T[] = []
  for (let left = decodeLength(reader, form, depth); left > 0; left--) items.push(item(reader, depth + 1))
  return items
}

/** Reads the head of an array or a map: how many items or entries follow. */
export function decodeLength(reader: Reader, form: Form, depth: number): number {
  const length = decodeHead(reader, form)
  // Each item has a byte at least, and each entry two.
  if (length * (form === MAP ? 2 : 1) > reader.left) throw new DecodeError()
  if (length > 0 && depth >= NESTING_MAX) throw new DecodeError()
  return length
}

/** Reads a string. */
export function decodeText(reader: Reader): string {
  return reader.text(decodeHead(reader, TEXT))
}

/** Reads an integer from `min` to `max`. A float is none, even if it is whole. */
export function decodeInteger(reader: Reader, min: number, max: number): number {
  const head = reader.peek()
  const value = decodeValue(reader)
  if (typeof value !== 'number' || head === F32 || head === F64 || value < min || value > max) {
    throw new DecodeError()
  }
  return value
}

function decodeHead(reader: Reader, form: Form): number {
  const head = reader.u8()
  if (!isOf(form, head)) throw new DecodeError()
  const size = form.sizes[head - form.code]
  return size ? reader.uint(size) : head - form.fix
}

function isOf({ fix, fixCount, code, sizes }: Form, head: number): boolean {
  return (head >= fix && head < fix + fixCount) || (head >= code && head < code + sizes.length)
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new DecodeError()
  return value
}

/**
 * Writes one value; `depth` is how many arrays and maps it lies in. Fields that are `undefined` are left out,
 * `undefined` elsewhere is nil, and -0 is 0. Throws `TypeError` for what can't be sent, and for a value that is nested
 * too deeply, as one that contains itself is.
 */
export function encodeValue(writer: Writer, value: unknown, depth: number = 0): void {
  if (value === null || value === undefined) writer.u8(NIL)
  else if (typeof value === 'boolean') writer.u8(value ? TRUE : FALSE)
  else if (typeof value === 'number') encodeNumber(writer, value)
  else if (typeof value === 'string') encodeBytes(writer, TEXT, toUtf8(value))
  else if (value instanceof Uint8Array) encodeBytes(writer, BINARY, value)
  else if (Array.isArray(value)) {
    encodeLength(writer, ARRAY, value.length, depth)
    for (const item of value) encodeValue(writer, item, depth + 1)
  } else if (isPlain(value)) {
    const entries = Object.entries(value).filter(([, field]) => field !== undefined)
    encodeLength(writer, MAP, entries.length, depth)
    for (const [key, field] of entries) {
      encodeValue(writer, key)
      encodeValue(writer, field, depth + 1)
    }
  } else throw new TypeError(`${(value as object).constructor?.name} can't be sent`)
}

function encodeLength(writer: Writer, form: Form, length: number, depth: number): void {
  if (length > 0 && depth >= NESTING_MAX) throw new TypeError('nested too deeply')
  encodeHead(writer, form, length)
}

function encodeNumber(writer: Writer, value: number): void {
  if (!Number.isSafeInteger(value)) {
    writer.u8(F64)
    writer.float(value)
  } else if (value < 0 && value >= -INT.fixCount) {
    writer.u8(value)
  } else {
    encodeHead(writer, value < 0 ? INT : UINT, value)
  }
}

function encodeBytes(writer: Writer, form: Form, bytes: Uint8Array): void {
  encodeHead(writer, form, bytes.length)
  writer.bytes(bytes)
}

function encodeHead(writer: Writer, { fix, fixCount, code, sizes }: Form, value: number): void {
  if (value >= 0 && value < fixCount) return writer.u8(fix + value)
  // A negative number needs a bit for its sign.
  const reach = value < 0 ? -2 * value - 1 : value
  const index = sizes.findIndex((size) => reach < 256 ** size)
  writer.u8(code + index)
  writer.int(value, sizes[index] as number)
}

/** Whether it is an object that says no more than its fields, also one of another page's window. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
