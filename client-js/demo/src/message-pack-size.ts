// How many bytes a position takes as a MessagePack map {id, x, y}, without making one: what most programs would send,
// and so what the wire panel compares with.

/** The map's head and its three keys: 1, and 3 + 2 + 2 bytes of strings. */
const KEYS = 8

/** The bytes of `{id, x, y}`. */
export function mapSize(id: number, x: number, y: number): number {
  return KEYS + numberSize(id) + numberSize(x) + numberSize(y)
}

/** The bytes of a number in its shortest form. */
function numberSize(value: number): number {
  if (!Number.isSafeInteger(value)) return 9
  if (value >= 0) return value < 128 ? 1 : value < 2 ** 8 ? 2 : value < 2 ** 16 ? 3 : value < 2 ** 32 ? 5 : 9
  return value >= -32 ? 1 : value >= -(2 ** 7) ? 2 : value >= -(2 ** 15) ? 3 : value >= -(2 ** 31) ? 5 : 9
}
