// The golden vectors of the protocol, which the Rust side writes; for tests only.

import { readFileSync } from 'node:fs'

/** One file of protocol/vectors, with `$bin` turned into bytes. The caller knows its shape from the README there. */
export function vectors<T>(file: string): T {
  const url = new URL(`../../../protocol/vectors/${file}`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8'), revive) as T
}

/** The bytes of `hex`. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16))
}

/** `bytes` as hex, in lower case. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function revive(_key: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && '$bin' in value ? fromHex(String(value.$bin)) : value
}
