// Users' values and bytes as JSON in which equal things are equal, for the tests that compare languages.

import type { Value } from '../wire/msgpack.ts'
import { toHex } from './vectors.ts'

/** A user's value as JSON: binary data is `$bin`, a number that is no integer is `$f64`, its bits. */
export function plain(value: Value): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : { $f64: toBits(value) }
  if (value instanceof Uint8Array) return { $bin: toHex(value) }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}

function toBits(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return Number.isNaN(value) ? '7ff8000000000000' : toHex(bytes)
}
