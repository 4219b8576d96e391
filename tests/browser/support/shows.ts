// What a page shows, as an expectation of a scenario: whatever is not there in time is not met.

import { TimeoutError } from 'puppeteer-core'
import { Unmet, type World } from './world.ts'

/** Expects what takes less than a deadline, in milliseconds, on pages. */
export type Shows = (what: string, look: (ms: number) => Promise<unknown>) => Promise<void>

/** Makes expectations of a world. */
export function showsIn({ expects }: World): Shows {
  return (what, look) =>
    expects(what, async (_, ms) => {
      await look(ms).catch((error: unknown) => {
        throw error instanceof TimeoutError ? new Unmet(`${what}: ${error.message}`) : error
      })
    })
}

/**
 * Selects what assistive technology knows by a role and a name, within a part of the page: Firefox takes a frame or two
 * for each element that it is asked about, which on a whole page that draws cursors is many seconds.
 */
export function byRole(part: string, role: string, name: string): string {
  return `${part} ::-p-aria([name="${name}"][role="${role}"])`
}
