// Figures on the page: how they are written, and that nothing is written twice.

import { byId } from './dom.ts'

/** What stands where there is no figure. */
export const NOTHING = '–'

/** Puts a text into the element with an id. */
export function put(id: string, text: string): void {
  const element = byId(id)
  if (element.textContent !== text) element.textContent = text
}

/** A time as text. */
export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
}

/** Makes two bars as long as their values, the longer one full. */
export function drawBars(bars: readonly (readonly [id: string, value: number])[]): void {
  const longest = Math.max(...bars.map(([, value]) => value)) || 1
  for (const [id, value] of bars) byId(id).style.setProperty('--part', `${value / longest}`)
}
