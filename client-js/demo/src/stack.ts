// Which note lies on which: by their keys, and by their ids where two clients have made the same key at once.

import { orderKey } from '@hither/client/order'

/** A note as far as it lies on others. */
export interface Layer {
  readonly id: string
  readonly order: string
}

/** The notes' ids, from below to the top. */
export function stacked(layers: Iterable<Layer>): string[] {
  return [...layers].sort(compare).map(({ id }) => id)
}

/** The key that puts a note on top of the others; nothing if it is there already. */
export function topKey(layers: Iterable<Layer>, id?: string): string | undefined {
  const top = [...layers].reduce<Layer | undefined>((a, b) => (a && compare(a, b) > 0 ? a : b), undefined)
  return top && top.id === id ? undefined : orderKey(top?.order || null)
}

function compare(a: Layer, b: Layer): number {
  return a.order < b.order || (a.order === b.order && a.id < b.id) ? -1 : 1
}
