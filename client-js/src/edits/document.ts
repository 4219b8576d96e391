// A room's document as the server has it: records by id, and what an edit does to them.

import type { Op, Place, RecordMessage } from '../wire/edits.ts'
import { type Entry, perform } from './entry.ts'

/** Records by id, and the place of the last edit in them. */
export class Document {
  readonly id: number
  sequence: number
  readonly records: Map<string, Entry> = new Map()

  constructor({ document, sequence }: Place) {
    this.id = document
    this.sequence = sequence
  }

  get place(): Place {
    return { document: this.id, sequence: this.sequence }
  }

  /** Takes the records of a page. */
  load(records: readonly RecordMessage[]): void {
    for (const { id, version, fields } of records) this.records.set(id, { version, fields })
  }

  /**
   * Applies the edit of the next place as the server has done it. An operation does nothing where its record has it
   * already, as it may in a later page of a snapshot (rule D3); others that can't be done were possible then.
   */
  apply(sequence: number, ops: readonly Op[]): void {
    const { records } = this
    for (const op of ops) {
      const old = records.get(op.record)
      const entry = old && old.version >= sequence ? false : perform(old, { ...op, ifVersion: undefined })
      if (entry) records.set(op.record, entry)
      else if (entry !== false) records.delete(op.record)
    }
    for (const { record } of ops) {
      const entry = records.get(record)
      if (entry) entry.version = Math.max(entry.version, sequence)
    }
    this.sequence = sequence
  }
}
