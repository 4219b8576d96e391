// What a connection is to the client, whatever carries it: streams, datagrams and an end. A page uses WebTransport
// or WebSocket; tests hand in their own.

/** The sending end of a bidirectional stream. The client opens them all. */
export interface TransportStream {
  /** Sends bytes, in order. What can't be sent any more is dropped: the connection's end says so. */
  write(bytes: Uint8Array<ArrayBuffer>): void
  /** Finishes the sending direction. */
  finish(): void
}

/** One connection to a server. */
export interface Transport {
  /** What carries it, like `webtransport`. */
  readonly type: string
  /** Why it carries the connection and no better one, if there is one. */
  reason?: string
  /** Says who hears what arrives; called once, before anything else. What arrives earlier waits, or is lost. */
  listen(handler: TransportHandler): void
  /**
   * Opens a stream; `receive` gets what the server sends on it. The first one is the control lane, each other one the
   * edits lane of a `room`; `onEnd` is called when the server has finished that, and the connection is there.
   */
  openStream(receive: (chunk: Uint8Array) => void, room?: number, onEnd?: () => void): TransportStream
  /** Sends a datagram, or drops it: a later one has what matters. */
  sendDatagram(bytes: Uint8Array<ArrayBuffer>): void
  /** Closes the connection; `handleClosed` is not called for it. */
  close(code: number): void
}

/** Who hears what arrives. */
export interface TransportHandler {
  /** A datagram came. */
  handleDatagram(bytes: Uint8Array): void
  /** The connection has ended, and nobody here closed it; with a close code of ours, where the transport shows it. */
  handleClosed(reason: string, code?: number): void
}

/** Makes a connection. Rejects if there is none, with the reason as its message; `signal` ends the attempt. */
export type Connect = (signal: AbortSignal) => Promise<Transport>
