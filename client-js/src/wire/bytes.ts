// Reading and writing bytes with varints, apart from what they mean: the bottom of the wire.

/**
 * What a peer sent can't be read. The peer is at fault, or its version is; never the caller. It does not say what is
 * wrong: no application can do anything about it, and each sentence would count in the client's size.
 */
export class DecodeError extends Error {
  constructor() {
    super('the protocol is broken')
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const utf8Encoder = new TextEncoder()
const NO_BYTES = new Uint8Array()

/** Reads bytes from front to back. Every read looks whether the bytes are there, and throws `DecodeError` if not. */
export class Reader {
  #bytes: Uint8Array = NO_BYTES
  #at = 0

  constructor(bytes: Uint8Array = NO_BYTES) {
    this.reset(bytes)
  }

  /** Begins anew with other bytes, so that one reader does for all datagrams. */
  reset(bytes: Uint8Array): this {
    this.#bytes = bytes
    this.#at = 0
    return this
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  /** The next byte, which stays the next. */
  peek(): number {
    const byte = this.u8()
    this.#at--
    return byte
  }

  u8(): number {
    return this.#bytes[this.#skip(1)] as number
  }

  /** An unsigned integer of `size` bytes, the highest first. Above 2^53 it is not exact. */
  uint(size: number): number {
    return this.#fold(size, 0)
  }

  /** A signed integer of `size` bytes in two's complement, the highest first. Beyond 2^53 it is not exact. */
  int(size: number): number {
    return this.#fold(size, this.peek() < 0x80 ? 0 : -1)
  }

  /** A float of 4 or 8 bytes. */
  float(size: number): number {
    const { buffer, byteOffset } = this.bytes(size)
    const view = new DataView(buffer, byteOffset)
    return size === 4 ? view.getFloat32(0) : view.getFloat64(0)
  }

  /** The next `count` bytes, not copied. */
  bytes(count: number): Uint8Array {
    const start = this.#skip(count)
    return this.#bytes.subarray(start, start + count)
  }

  /** The next `count` bytes as UTF-8. */
  text(count: number): string {
    const bytes = this.bytes(count)
    try {
      return utf8.decode(bytes)
    } catch {
      throw new DecodeError()
    }
  }

  /** An unsigned varint of up to 32 bits (rule F2). */
  varint(): number {
    let value = 0
    // Multiplied, not shifted: a shift would turn the 32nd bit into a sign.
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (value >= 2 ** 32) break
      if (byte < 0x80) return value
    }
    throw new DecodeError()
  }

  /** A signed, zigzag coded varint of up to 32 bits. */
  zigzag(): number {
    const value = this.varint()
    return (value >>> 1) ^ -(value & 1)
  }

  /** Puts the next `size` bytes behind `value`. */
  #fold(size: number, value: number): number {
    return this.bytes(size).reduce((value, byte) => value * 256 + byte, value)
  }

  #skip(count: number): number {
    if (count > this.left) throw new DecodeError()
    const start = this.#at
    this.#at += count
    return start
  }
}

/** Bytes that grow as they are written. It keeps its memory when cleared. */
export class Writer {
  #bytes = new Uint8Array(256)
  #at = 0

  /** How many bytes are written. */
  get length(): number {
    return this.#at
  }

  clear(): void {
    this.#at = 0
  }

  /** A copy of what is written, which the caller may keep. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at)
  }

  u8(value: number): void {
    const at = this.#grow(1)
    this.#bytes[at] = value
  }

  /** An integer of `size` bytes, the highest first, in two's complement if it is negative. */
  int(value: number, size: number): void {
    const start = this.#grow(size)
    for (let at = start + size; at-- > start; value = Math.floor(value / 256)) this.#bytes[at] = value
  }

  /** A float of 8 bytes. */
  float(value: number): void {
    const start = this.#grow(8)
    new DataView(this.#bytes.buffer).setFloat64(start, value)
  }

  bytes(bytes: Uint8Array): void {
    const start = this.#grow(bytes.length)
    this.#bytes.set(bytes, start)
  }

  /** An unsigned varint of up to 32 bits (rule F2). */
  varint(value: number): void {
    while (value >= 0x80) {
      this.u8((value & 0x7f) | 0x80)
      value = Math.floor(value / 128)
    }
    this.u8(value)
  }

  /** A signed, zigzag coded varint of up to 32 bits. */
  zigzag(value: number): void {
    this.varint(((value << 1) ^ (value >> 31)) >>> 0)
  }

  /** Makes place for so many bytes and says where. It may replace `#bytes`, which is read after it. */
  #grow(count: number): number {
    const start = this.#at
    const end = start + count
    if (end > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      bytes.set(this.#bytes)
      this.#bytes = bytes
    }
    this.#at = end
    return start
  }
}

/** The UTF-8 bytes of a string. */
export function toUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text)
}
