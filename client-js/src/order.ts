// Keys that sort, and between any two of which there is place for another: the order of a list whose items are records.
// A part of its own, `@hither/client/order`, since few lists need one.
// The algorithm is that of David Greenspan, "Implementing Fractional Indexing" (2020); `protocol::order` is its twin.
//
// A key is a number in base 62: an integer, whose first character says how long it is, and digits behind the point, of
// which the last is not 0. So what is put at an end only ever counts up or down, and grows by a digit for 62 times as
// many; only what is put between two others again and again takes a digit for each few.

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BASE = DIGITS.length
/** The lowest integer. There is nothing below it, so alone it is no key. */
const LOWEST = `A${'0'.repeat(26)}`

/**
 * A key that sorts behind `after` and before `before`, by the strings' own order: with neither the first one, with one
 * of them the next one outwards. It depends on nothing else, so two clients that put something at one place at once get
 * the same key: let the records' ids decide then. Throws `RangeError` for what is no key, or if `after` is not before
 * `before`.
 */
export function orderKey(after?: string | null, before?: string | null): string {
  const low = after == null ? undefined : parse(after)
  const high = before == null ? undefined : parse(before)
  if (!low) return high ? beneath(high) : 'a0'
  if (high && low.key >= high.key) throw new RangeError(`${low.key} is not before ${high.key}`)
  if (low.integer === high?.integer) return low.integer + between(low.fraction, high.fraction)
  const next = step(low.integer, 1)
  return next && (!high || next < high.key) ? next : low.integer + between(low.fraction)
}

interface Key {
  readonly key: string
  readonly integer: string
  readonly fraction: string
}

function beneath({ integer, fraction }: Key): string {
  if (integer === LOWEST) return LOWEST + between('', fraction)
  const below = fraction ? integer : (step(integer, -1) as string)
  return below === LOWEST ? LOWEST + between('') : below
}

function parse(key: string): Key {
  const head = key.charCodeAt(0)
  const length = key >= 'a' ? head - 95 : 92 - head
  const integer = key.slice(0, length)
  const isKey = /^[A-Za-z][0-9A-Za-z]*$/.test(key) && key.length >= length && key !== LOWEST
  if (!isKey || (key.length > length && key.endsWith('0'))) throw new RangeError(`${key} is no order key`)
  return { key, integer, fraction: key.slice(length) }
}

/** The next integer up or down. Nothing behind the last one. */
function step(integer: string, by: 1 | -1): string | undefined {
  const [most, least] = by > 0 ? ['z', '0'] : ['0', 'z']
  let kept = integer.length
  while (kept > 1 && integer[kept - 1] === most) kept--
  const rest = least.repeat(integer.length - kept)
  const digit = integer[kept - 1] as string
  if (kept > 1) return integer.slice(0, kept - 1) + DIGITS[DIGITS.indexOf(digit) + by] + rest
  if (digit === (by > 0 ? 'z' : 'A')) return undefined
  if (digit === (by > 0 ? 'Z' : 'a')) return by > 0 ? 'a0' : 'Zz'
  const head = String.fromCharCode(digit.charCodeAt(0) + by)
  const isLonger = head >= 'a' === by > 0
  return head + (isLonger ? rest + least : rest.slice(1))
}

/** Digits between those of two fractions, or behind those of one. */
function between(low: string, high?: string): string {
  let digits = ''
  for (let at = 0; ; at++) {
    const a = at < low.length ? DIGITS.indexOf(low[at] as string) : 0
    const b = high === undefined ? BASE : DIGITS.indexOf(high[at] as string)
    if (b - a > 1) return digits + DIGITS[(a + b) >> 1]
    if (b > a && high && high.length > at + 1) return digits + high[at]
    digits += DIGITS[a]
    // What is behind a lower digit is lower, whatever it is.
    if (b > a) high = undefined
  }
}
