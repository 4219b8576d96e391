// Drags and clicks of an element on the board, by a mouse, a pen or a finger.

import type { Board } from './board.ts'
import type { Place } from './space.ts'

/** Who hears of them. */
export interface DragOwner {
  /** Whether a pointer that goes down on `target` is not for a drag. */
  isOff(target: Element): boolean
  handleStart(): void
  /** Its middle is here now. */
  handleMove(place: Place): void
  handleEnd(): void
  /** The pointer went nowhere. */
  handleClick(): void
}

/** A pointer that goes less far than this, in pixels, was a click. */
const CLICK_REACH = 4

/** Has an element dragged; the function that this returns ends a drag that is under way. */
export function makeDraggable(element: HTMLElement, board: Board, owner: DragOwner): () => void {
  let end = (): void => {}
  const handleDown = (down: PointerEvent): void => {
    if (down.button !== 0 || !down.isPrimary || owner.isOff(down.target as Element)) return
    // Else the text would be selected, and the focus lost.
    down.preventDefault()
    end()
    // Where it is seen, which near an edge is not where it is. Nothing else is measured until the end.
    const { left, top, width, height } = element.getBoundingClientRect()
    const [x, y] = [left + width / 2 - down.clientX, top + height / 2 - down.clientY]
    let isDragged = false
    const stopping = new AbortController()
    const { signal } = stopping
    end = () => {
      end = () => {}
      stopping.abort()
      if (isDragged) owner.handleEnd()
    }
    const handleMove = ({ clientX, clientY }: PointerEvent): void => {
      if (!isDragged && Math.hypot(clientX - down.clientX, clientY - down.clientY) < CLICK_REACH) return
      if (!isDragged) owner.handleStart()
      isDragged = true
      owner.handleMove(board.placeOf(clientX + x, clientY + y))
    }
    const handleUp = ({ type }: PointerEvent): void => {
      const wasClick = !isDragged && type === 'pointerup'
      end()
      if (wasClick) owner.handleClick()
    }
    element.setPointerCapture(down.pointerId)
    element.addEventListener('pointermove', handleMove, { signal })
    element.addEventListener('pointerup', handleUp, { signal })
    element.addEventListener('pointercancel', handleUp, { signal })
  }
  element.addEventListener('pointerdown', handleDown)
  return () => end()
}
