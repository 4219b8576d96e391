// Undo and redo: two buttons, which can be pressed when there is something, and the keys.

import type { Room } from '@hither/client'
import { byId } from './dom.ts'
import { undoKey } from './undo-key.ts'

/** Lets the user undo and redo, by `go`. */
export function startUndo(room: Room, go: (way: 'undo' | 'redo') => void): void {
  const undo = byId<HTMLButtonElement>('undo')
  const redo = byId<HTMLButtonElement>('redo')
  room.subscribe('history', ({ canUndo, canRedo }) => {
    undo.disabled = !canUndo
    redo.disabled = !canRedo
  })
  undo.addEventListener('click', () => go('undo'))
  redo.addEventListener('click', () => go('redo'))
  addEventListener('keydown', (event) => {
    const way = undoKey(event)
    // Fields that are not notes have an undo of their own.
    if (!way || (event.target as Element).closest?.('input, dialog')) return
    event.preventDefault()
    go(way)
  })
}
