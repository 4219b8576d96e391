// The button for bots, which live in the server. It is pressed while any are in the room, whoever called them.

import type { Room } from '@hither/client'
import { byId, oncePerFrame } from './dom.ts'
import { isBot } from './member.ts'
import { toast } from './speaker.ts'

const CALLED = 50

/** Lets the user call bots, and send them away. */
export function startBots(room: Room): void {
  const button = byId<HTMLButtonElement>('bots')
  const label = button.querySelector('span') as HTMLSpanElement
  const hasBots = (): boolean => room.getOthers().some(isBot)
  const show = (): void => {
    button.disabled = room.getStatus() !== 'connected'
    button.ariaPressed = `${hasBots()}`
    label.textContent = `${CALLED} bots`
    button.title = hasBots() ? 'Send the bots away' : `Call ${CALLED} bots`
  }
  const showSoon = oncePerFrame(show)
  show()
  room.subscribe('others', showSoon)
  room.subscribe('status', showSoon)
  button.addEventListener('click', () => void setBots(room.id, hasBots() ? 0 : CALLED))
}

async function setBots(room: string, count: number): Promise<void> {
  const response = await fetch('/demo/bots', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ room, count }),
  }).catch(() => undefined)
  if (response?.ok) {
    const granted = ((await response.json()) as { count: number }).count
    if (granted < count) toast(granted ? `There are ${granted} bots left for this room.` : 'All bots are elsewhere.')
  } else if (response?.status === 404) {
    toast('This server has no bots.')
  } else {
    toast('The bots could not be reached.')
  }
}
