// Records that differ from a document's: what the own edits make of it, as long as it does not have them.

import type { Op } from '../wire/edits.ts'
import type { Document } from './document.ts'
import { type Entry, inverse, perform } from './entry.ts'

/** The version of a record as an edit makes it that has no number yet: no condition on a version holds for it. */
const NO_VERSION = NaN

/** What some of a document's records are instead. */
export class Overlay {
  readonly records: Map<string, Entry | undefined> = new Map()

  /** A record with what is laid over the document. */
  get(document: Document, id: string): Entry | undefined {
    return this.records.has(id) ? this.records.get(id) : document.records.get(id)
  }

  /** Visits all records, those that the document does not have at last. */
  forEach(document: Document, visit: (entry: Entry, id: string) => void): void {
    for (const id of new Set([...document.records.keys(), ...this.records.keys()])) {
      const entry = this.get(document, id)
      if (entry) visit(entry, id)
    }
  }

  /**
   * Lays an edit over the document and what is there already, whole; gives the operations that take it back. Nothing if
   * it can't be done, and then nothing has changed. Sizes are not looked at.
   */
  commit(document: Document, ops: readonly Op[]): Op[] | undefined {
    const changed = new Map<string, Entry | undefined>()
    const back: Op[] = []
    for (const op of ops) {
      const { record } = op
      const old = changed.has(record) ? changed.get(record) : this.get(document, record)
      const entry = perform(old, op)
      if (entry === false) return undefined
      const undoing = inverse(old, op)
      if (undoing) back.unshift(undoing)
      changed.set(record, entry)
    }
    changed.forEach((entry, id) => this.records.set(id, entry && { ...entry, version: NO_VERSION }))
    return back
  }
}
