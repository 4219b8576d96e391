// Listeners for what a function reads of records: called when that has changed, and not for what is elsewhere.

import { report } from './emitter.ts'
import { isShallowEqual } from './equal.ts'
import type { RegisteredTypes, RoomTypes, Unsubscribe } from './types.ts'

/** Records as a selector reads them. */
export interface RecordsReader<T extends RoomTypes = RegisteredTypes> {
  /** The fields of a record. */
  get(id: string): Readonly<T['Record']> | undefined
  /** Calls `visit` with each record. */
  forEach(visit: (fields: Readonly<T['Record']>, id: string) => void): void
}

/** Runs a selector and tells its listener, if the result is another one. */
type Rerun = () => void

/** What is selected of records, by the ids that were read. */
export class Selections<T extends RoomTypes> {
  readonly #records: RecordsReader<T>
  readonly #byId = new Map<string, Set<Rerun>>()
  /** Those that have read all records. */
  readonly #ofAll = new Set<Rerun>()

  constructor(records: RecordsReader<T>) {
    this.#records = records
  }

  add<R>(selector: (records: RecordsReader<T>) => R, listener: (result: R) => void): Unsubscribe {
    const read = new Set<string>()
    let isOver = false
    const forget = (): void => {
      this.#ofAll.delete(rerun)
      for (const id of read) this.#remove(id, rerun)
      read.clear()
    }
    const reader: RecordsReader<T> = {
      get: (id) => {
        read.add(id)
        this.#byId.set(id, (this.#byId.get(id) ?? new Set()).add(rerun))
        return this.#records.get(id)
      },
      forEach: (visit) => {
        this.#ofAll.add(rerun)
        this.#records.forEach(visit)
      },
    }
    const rerun = (): void => {
      // One that was called before may have ended this one.
      if (isOver) return
      forget()
      const before = result
      result = selector(reader)
      if (!isShallowEqual(before, result)) listener(result)
    }
    let result = selector(reader)
    return () => {
      isOver = true
      forget()
    }
  }

  /** These records have changed. A record that nobody reads costs one look. */
  handleChanged(ids: readonly string[]): void {
    if (!ids.length) return
    const reruns = new Set(this.#ofAll)
    for (const id of ids) this.#byId.get(id)?.forEach((rerun) => reruns.add(rerun))
    for (const rerun of reruns) {
      try {
        rerun()
      } catch (error) {
        report(error)
      }
    }
  }

  #remove(id: string, rerun: Rerun): void {
    const readers = this.#byId.get(id)
    readers?.delete(rerun)
    if (!readers?.size) this.#byId.delete(id)
  }
}
