// The board: where the room's space lies on the screen. Everything on it goes by this one mapping.

import { byId } from './dom.ts'
import { type Place, SPACE, within } from './space.ts'

/** The board of the page. */
export interface Board {
  /** The element that holds all that lies on the board. */
  readonly element: HTMLElement
  /** The part of it that takes moves and keys where nothing lies. */
  readonly pad: HTMLElement
  /** Its size on the screen, in CSS pixels. */
  readonly width: number
  readonly height: number
  /** The place under a point of the window, cut to the board. */
  placeOf(clientX: number, clientY: number): Place
  /** Calls `listener` when the size has changed. */
  onResize(listener: () => void): void
}

/** The page's board. */
export function createBoard(): Board {
  const element = byId('board')
  const listeners: (() => void)[] = []
  let bounds = element.getBoundingClientRect()
  const measure = (): void => {
    bounds = element.getBoundingClientRect()
  }
  new ResizeObserver(() => {
    measure()
    for (const listener of listeners) listener()
  }).observe(element)
  // It may also move without a change of its size.
  addEventListener('resize', measure)
  return {
    element,
    pad: byId('pad'),
    get width() {
      return bounds.width
    },
    get height() {
      return bounds.height
    },
    placeOf: (clientX, clientY) => ({
      x: within(((clientX - bounds.left) / bounds.width) * SPACE),
      y: within(((clientY - bounds.top) / bounds.height) * SPACE),
    }),
    onResize: (listener) => listeners.push(listener),
  }
}
