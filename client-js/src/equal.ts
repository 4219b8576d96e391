// When two values say the same: deeply, as users' values do, or at their first level, as results of selectors do.

/** Whether two users' values say the same. */
export function isEqual(a: unknown, b: unknown): boolean {
  return isAlike(a, b, isEqual)
}

/** Whether two values are the same, or arrays or maps of the same things. */
export function isShallowEqual(a: unknown, b: unknown): boolean {
  return isAlike(a, b, Object.is)
}

/** The prototypes of what says no more than its fields. */
const PLAIN: readonly unknown[] = [null, Object.prototype, Array.prototype, Uint8Array.prototype]

function isAlike(a: unknown, b: unknown, isSame: (a: unknown, b: unknown) => boolean): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false
  const kind: unknown = Object.getPrototypeOf(a)
  if (kind !== Object.getPrototypeOf(b) || !PLAIN.includes(kind)) return false
  const fields = Object.entries(a)
  if (fields.length !== Object.keys(b).length) return false
  return fields.every(([key, field]) => Object.hasOwn(b, key) && isSame(field, (b as Record<string, unknown>)[key]))
}
