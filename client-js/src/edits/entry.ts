// One record, and what each operation makes of it; apart from documents, since what is laid over one changes alike.

import type { Op } from '../wire/edits.ts'
import type { Fields, Value } from '../wire/msgpack.ts'

/** The kinds of operations (rule D2). */
export const PUT = 1
export const PATCH = 2
export const REMOVE = 3
export const INCREMENT = 4

/** A record as it is. Its fields are never changed in place: others are another object. */
export interface Entry {
  /** The number of the edit that changed it last. */
  version: number
  fields: Fields
}

/**
 * Does one operation to the record `old`: gives the record that there is then, which has the old version until the
 * whole edit is in. False if it can't be done.
 */
export function perform(old: Entry | undefined, op: Op): Entry | undefined | false {
  if (op.ifVersion !== undefined && (op.ifVersion || undefined) !== old?.version) return false
  if (op.kind === REMOVE) return undefined
  if (op.kind === PUT) return { version: old?.version ?? 0, fields: op.fields }
  if (!old) return false
  const fields = op.kind === PATCH ? patched(old.fields, op.fields) : incremented(old.fields, op.fields)
  return fields && { version: old.version, fields }
}

/**
 * The operation that takes one back which was done to the record `old`; none if it has done nothing. What was added is
 * taken away again, and what was set is as before, whoever has changed it since.
 */
export function inverse(old: Entry | undefined, { kind, record, fields }: Op): Op | undefined {
  if (!old) return kind === REMOVE ? undefined : { kind: REMOVE, record, fields: {} }
  if (kind === PATCH) return { kind, record, fields: each(fields, (name) => own(old.fields, name) ?? null) }
  if (kind === INCREMENT) return { kind, record, fields: each(fields, (_, by) => -(by as number)) }
  return { kind: PUT, record, fields: old.fields }
}

/** A map with a patch put in: nil removes a field, any other value replaces it (rules P1, D2). */
export function patched(fields: Fields, patch: Fields): Fields {
  const all = Object.entries({ ...fields, ...patch })
  return Object.fromEntries(all.filter(([key, value]) => value !== null || !Object.hasOwn(patch, key)))
}

/** A map with other values. */
export function each(fields: Fields, value: (name: string, value: Value) => Value): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, now]) => [name, value(name, now)]))
}

/** A field, but for what every object has. */
export function own(fields: Fields | undefined, name: string): Value | undefined {
  return fields && Object.hasOwn(fields, name) ? fields[name] : undefined
}

/** A map with numbers added, as JavaScript adds them (rule D2); false if one is no number. */
function incremented(fields: Fields, by: Fields): Fields | false {
  const sums: [string, number][] = []
  for (const [name, value] of Object.entries(by)) {
    const old = own(fields, name) ?? 0
    if (typeof old !== 'number' || typeof value !== 'number') return false
    sums.push([name, old + value])
  }
  return { ...fields, ...Object.fromEntries(sums) }
}
