// The user's own cursor: the pointer over the board, or the arrow keys when the board has the focus. The system draws a
// mouse itself; a finger and the keys have nothing on the screen, so theirs is drawn as others see it.

import type { Room } from '@hither/client'
import type { Board } from './board.ts'
import type { CursorLayer } from './cursor-layer.ts'
import { type Place, SPACE, within } from './space.ts'

const STEP = 25
const STEP_FAST = 100

const DIRECTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

/** The user's hand. */
export interface Hand {
  /** Where it was last, the middle of the board at first. */
  readonly place: Place
}

/** Sends the user's cursor wherever it is on the board. */
export function createHand(room: Room, board: Board, layer: CursorLayer): Hand {
  let place: Place = { x: SPACE / 2, y: SPACE / 2 }
  const move = (to: Place, isDrawn: boolean): void => {
    place = to
    room.cursors.set(place)
    layer.showOwn(isDrawn ? place : undefined)
  }
  // Of the moves that a browser makes one event of, the event is the last, and no other is of use: only the newest
  // position is sent, once in a tick.
  const follow = (event: PointerEvent): void => {
    move(board.placeOf(event.clientX, event.clientY), event.pointerType === 'touch')
  }
  board.element.addEventListener('pointermove', follow)
  board.element.addEventListener('pointerdown', follow)
  board.pad.addEventListener('keydown', (event) => {
    const way = steps(event)
    if (!way) return
    event.preventDefault()
    move({ x: within(place.x + way.x), y: within(place.y + way.y) }, true)
  })
  return {
    get place() {
      return place
    },
  }
}

/** How far an arrow key goes, with Shift farther; `undefined` for other keys. */
export function steps({ key, shiftKey }: KeyboardEvent): Place | undefined {
  const direction = DIRECTIONS[key]
  const step = shiftKey ? STEP_FAST : STEP
  return direction && { x: direction[0] * step, y: direction[1] * step }
}
