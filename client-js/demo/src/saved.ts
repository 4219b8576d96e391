// Whether the user's edits are durable, said without haste: what is saved at once was never unsaved to the eye. And why
// an edit was taken back, if one was.

import type { Room } from '@hither/client'
import { byId } from './dom.ts'
import { refusalWords, saveWords } from './save-words.ts'
import { toast } from './speaker.ts'

/** How often it is looked at while edits wait, in milliseconds; so long is nothing said, too. */
const LOOK_EVERY = 300

/** Shows how the edits stand. */
export function showSaved(room: Room): void {
  const element = byId('saved')
  const line = element.querySelector('span') as HTMLSpanElement
  let timer = 0
  const show = (): void => {
    const count = room.records.pendingCount
    const words = saveWords(count, room.getStatus() === 'connected')
    element.classList.toggle('waiting', count > 0)
    // What is said again would be read again.
    if (line.textContent !== words) line.textContent = words
  }
  const follow = (): void => {
    clearInterval(timer)
    if (room.getStorageStatus() === 'synchronizing') timer = setInterval(show, LOOK_EVERY)
    else show()
  }
  room.subscribe('storage-status', follow)
  room.subscribe('error', (error) => {
    if (error.type === 'edit') toast(refusalWords(error))
  })
  follow()
}
