// A browser's WebSocket without a browser, for tests: what the page sends is kept, and the test says what comes.

/** The class that a page finds as `WebSocket`. */
export class FakeWebSocket {
  /** Those that were made, in order. */
  static made: FakeWebSocket[] = []

  readonly url: string
  readonly sent: number[][] = []
  /** What the page closed with, if it has: a code, or nothing. */
  closedWith: [code?: number] | undefined
  binaryType = 'blob'
  bufferedAmount = 0
  onopen: (() => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null

  constructor(url: string) {
    FakeWebSocket.made.push(this)
    this.url = url
  }

  send(bytes: Uint8Array): void {
    this.sent.push([...bytes])
  }

  /** As a browser does, it says `close` later, and not before the other end has answered. */
  close(code?: number): void {
    this.closedWith ??= code === undefined ? [] : [code]
    if (!this.#isOpen) this.end(1006)
  }

  #isOpen = false

  /** The server takes it. */
  open(): void {
    this.#isOpen = true
    this.onopen?.()
  }

  /** A binary message comes. */
  say(...bytes: number[]): void {
    this.onmessage?.({ data: Uint8Array.from(bytes).buffer })
  }

  /** It ends. */
  end(code: number, reason = ''): void {
    this.onclose?.({ code, reason })
  }
}
