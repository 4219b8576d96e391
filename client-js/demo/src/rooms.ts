// From room to room: the dialog that leads to another one, and the link that brings others to this one.

import { byId } from './dom.ts'
import { linkTo } from './room-url.ts'
import { toast } from './speaker.ts'
import { roomName } from './words.ts'

/** Lets the user go to another room, and copy the link to this one. */
export function startRooms(name: string): void {
  const dialog = byId<HTMLDialogElement>('rooms')
  const wanted = byId<HTMLInputElement>('rooms-name')
  const link = byId<HTMLInputElement>('rooms-link')

  document.title = `${name} · Hither`
  byId('room-name').textContent = name
  link.value = linkTo(name, location.href)

  byId('room-open').addEventListener('click', () => {
    wanted.value = roomName()
    dialog.showModal()
    wanted.select()
  })
  byId('rooms-close').addEventListener('click', () => dialog.close())
  // A click outside of a dialog is one on its backdrop, which is the dialog itself.
  dialog.addEventListener('pointerdown', ({ target }) => target === dialog && dialog.close())
  byId<HTMLFormElement>('rooms-form').addEventListener('submit', (event) => {
    event.preventDefault()
    location.assign(linkTo(wanted.value, location.href))
  })

  const copy = async (): Promise<void> => {
    const isCopied = await navigator.clipboard?.writeText(link.value).then(
      () => true,
      () => false,
    )
    if (isCopied) return toast('Link copied: who opens it is in this room.')
    if (!dialog.open) dialog.showModal()
    link.focus()
    link.select()
  }
  byId('invite').addEventListener('click', () => void copy())
  byId('rooms-copy').addEventListener('click', () => void copy())
}
