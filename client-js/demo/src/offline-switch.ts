// The switch that takes the page off the network for a while, to see that notes go on without it.

import type { Cable } from './cable.ts'
import { byId } from './dom.ts'

/** Lets the user go offline. */
export function startOffline(cable: Cable): void {
  const input = byId<HTMLInputElement>('offline')
  // Some browsers remember a box that was ticked over a reload.
  input.checked = cable.isCut
  input.addEventListener('change', () => (input.checked ? cable.cut() : cable.mend()))
}
