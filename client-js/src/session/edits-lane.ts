// The edits lane of one membership, sans-IO: what goes and comes over it. What it is about outlives it.

import {
  editsToClient,
  type EditsToClient,
  type Op,
  type Place,
  sayHistory,
  sayOpen,
  saySubmit,
} from '../wire/edits.ts'
import { FrameBuffer } from '../wire/framing.ts'
import { decodeMessage } from '../wire/lane.ts'
import type { Session } from './session.ts'

/** Hears of a room's edits lanes. */
export interface EditsLaneListener {
  /** This is the lane from now on, to be opened once; or there is none for now. */
  handleLane(lane: EditsLane | undefined): void
  /** This came over this lane, maybe late. */
  handleMessage(lane: EditsLane, message: EditsToClient): void
}

/** A lane, which is there once it is opened. */
export class EditsLane {
  readonly #session: Session
  readonly #room: number
  readonly #slot: number
  readonly #listener: EditsLaneListener
  readonly #buffer = new FrameBuffer()

  constructor(session: Session, room: number, slot: number, listener: EditsLaneListener) {
    this.#session = session
    this.#room = room
    this.#slot = slot
    this.#listener = listener
  }

  /** Opens it, once (rule D1). */
  open(editor: Uint8Array, after: Place | undefined, unanswered: readonly number[]): void {
    this.#session.sendEdits(this.#room, sayOpen(this.#room, this.#slot, editor, after, unanswered))
  }

  submit(number: number, ops: readonly Op[]): void {
    this.#session.sendEdits(this.#room, saySubmit(number, ops))
  }

  history(request: number, before: number | undefined, limit: number): void {
    this.#session.sendEdits(this.#room, sayHistory(request, before, limit))
  }

  /** Throws `DecodeError` if the server broke the protocol. */
  handleChunk(chunk: Uint8Array): void {
    this.#buffer.push(chunk)
    for (let bytes; (bytes = this.#buffer.pop());) {
      const message = decodeMessage(editsToClient, bytes)
      if (message) this.#listener.handleMessage(this, message)
    }
  }
}
