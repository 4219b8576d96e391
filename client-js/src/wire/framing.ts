// The length before each message on a stream, and the buffer that cuts a stream into messages again (rule F1).

import { DecodeError, Writer } from './bytes.ts'
import { MESSAGE_BYTES_MAX } from './limits.ts'

/** Most bytes of a length: 64 KiB needs three. */
const PREFIX_BYTES_MAX = 3

/** `message` with its length before it. Throws `RangeError` if it is longer than 64 KiB. */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  if (message.length > MESSAGE_BYTES_MAX) throw new RangeError('too large')
  const writer = new Writer()
  writer.varint(message.length)
  writer.bytes(message)
  return writer.take()
}

/** Cuts a stream's bytes into messages. Holds one unfinished message beside what was pushed since the last pop. */
export class FrameBuffer {
  #bytes = new Uint8Array(256)
  #start = 0
  #end = 0

  /** Takes a copy of the stream's next bytes. Call `pop` until it has no more before the next push. */
  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) this.#makeRoom(chunk.length)
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /**
   * The next whole message without its length, for the caller to keep; `undefined` until more bytes come. Throws
   * `DecodeError` when the length is above 64 KiB, before the message has come; the stream is of no use after it.
   */
  pop(): Uint8Array | undefined {
    let length = 0
    for (let start = this.#start; start < this.#end;) {
      const byte = this.#bytes[start] as number
      const size = start++ - this.#start
      length += (byte & 0x7f) * 128 ** size
      if (length > MESSAGE_BYTES_MAX || (size === PREFIX_BYTES_MAX - 1 && byte >= 0x80)) throw new DecodeError()
      if (byte >= 0x80) continue
      if (start + length > this.#end) break
      this.#start = start + length
      return this.#bytes.slice(start, this.#start)
    }
    return undefined
  }

  /** Moves what is left to the front. Half of the memory is free then, so a byte is not moved with every push. */
  #makeRoom(count: number): void {
    const left = this.#bytes.subarray(this.#start, this.#end)
    const needed = 2 * (left.length + count)
    if (needed > this.#bytes.length) this.#bytes = new Uint8Array(needed)
    this.#bytes.set(left)
    this.#start = 0
    this.#end = left.length
  }
}
