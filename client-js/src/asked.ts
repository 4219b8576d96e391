// Questions that wait for their answers. Apart from who asks: each has its end, whatever becomes of the connection.

import { refused } from './error.ts'
import type { Refusal } from './session/membership.ts'

/** What an answer says of the question, and why it has nothing, if so. */
interface Answer extends Partial<Refusal> {
  readonly request: number
}

/** The refusal by a server that can't answer now. */
const UNAVAILABLE = 9

/** A room's questions of one kind. */
export class Asked<T> {
  readonly #room: string
  readonly #waiting = new Map<number, (answer: T | Promise<T>) => void>()

  /** The room's name. */
  constructor(room: string) {
    this.#room = room
  }

  /** Settles by the answer to this request. */
  wait(request: number): Promise<T> {
    return new Promise((resolve) => this.#waiting.set(request, resolve))
  }

  /** An answer has come; nothing happens if nobody waits for it. */
  handleAnswer(answer: Answer, value?: T): void {
    const resolve = this.#waiting.get(answer.request)
    this.#waiting.delete(answer.request)
    resolve?.(answer.code === undefined ? (value as T) : Promise.reject(refused('room', answer as Refusal, this.#room)))
  }

  /** The answers are lost with what they would come over. */
  giveUp(): void {
    for (const request of this.#waiting.keys()) this.handleAnswer({ request, code: UNAVAILABLE })
  }
}
