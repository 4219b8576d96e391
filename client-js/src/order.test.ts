import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { orderKey } from './order.ts'
import { vectors } from './testing/vectors.ts'

interface Between {
  after: string | null
  before: string | null
  key?: string
}

const file = vectors<{ between: Between[]; chains: Record<string, string[]> }>('order.json')

/** Between what each key of a chain is made; the order of `sort` is that of code units. */
const chains: Record<string, (keys: string[]) => (string | undefined)[]> = {
  'behind the last': (keys) => [keys.at(-1)],
  'before the last': (keys) => [undefined, keys.at(-1)],
  'between the first and the last': (keys) => [keys[0], keys.at(-1)],
  'between the last two': (keys) => keys.slice(-2).sort(),
}

describe('a key', () => {
  it.each(file.between)('lies between $after and $before', ({ after, before, key }) => {
    if (key === undefined) expect(() => orderKey(after, before)).toThrow(RangeError)
    else expect(orderKey(after, before)).toBe(key)
  })

  it.each(Object.entries(file.chains))('%s is that of Rust', (name, keys) => {
    const made = keys.slice(0, 2)
    while (made.length < keys.length) made.push(orderKey(...(chains[name]?.(made) ?? [])))
    expect(made).toEqual(keys)
  })

  it('sorts as it was put, wherever that was', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 200 }), (places) => {
        const keys: string[] = []
        for (const place of places) {
          const at = place % (keys.length + 1)
          keys.splice(at, 0, orderKey(keys[at - 1], keys[at]))
        }
        expect([...new Set(keys)].sort()).toEqual(keys)
      }),
    )
  })

  it('lies strictly between any two', () => {
    const digits = fc.string({ unit: fc.constantFrom('0', '1', 'A', 'Z', 'a', 'y', 'z'), maxLength: 6 })
    const keys = fc.tuple(fc.constantFrom('Y', 'Z', 'a', 'b'), digits).map((parts) => parts.join(''))
    const isKey = (key: string): boolean => {
      try {
        return !!orderKey(key)
      } catch {
        return false
      }
    }
    fc.assert(
      fc.property(keys.filter(isKey), keys.filter(isKey), (a, b) => {
        fc.pre(a !== b)
        const [low, high] = [a, b].sort() as [string, string]
        const key = orderKey(low, high)
        expect([low < key, key < high]).toEqual([true, true])
      }),
    )
  })

  it.each([1, -1])('at an end grows by a digit for 62 times as many; %i', (way) => {
    let key = 'a0'
    for (let count = 1; count < 10_000; count++) {
      key = way > 0 ? orderKey(key) : orderKey(null, key)
      expect(key.length).toBeLessThanOrEqual(2 + Math.log(count) / Math.log(62))
    }
  })
})
