// How the connection stands, in plain words: a line in the bar, and a notice over the board when there is none.

import type { Client, Room, Status } from '@hither/client'
import type { Cable } from './cable.ts'
import { byId } from './dom.ts'

const WORDS: Record<Status, string> = {
  initial: 'Not connected',
  connecting: 'Connecting',
  connected: 'Connected',
  reconnecting: 'Reconnecting',
  disconnected: 'Disconnected',
}

/** Shows how the room's connection stands, and why it does not. */
export function showConnection(client: Client, room: Room, cable: Cable): void {
  let reason = ''
  // A connection that was there is missed once it is lost: most are back before anyone has noticed.
  let isMissed = true
  const show = (): void => {
    const status = room.getStatus()
    showStatus(status, cable.isCut)
    if (status === 'reconnecting' && cable.isCut) byId('notice').hidden = true
    else if (status === 'reconnecting' && isMissed)
      notify('There is no connection', `${sentence(reason)} Trying again. Notes can be changed meanwhile.`, false)
    else if (status === 'disconnected') notify('You are not in the room', sentence(reason), true)
    else byId('notice').hidden = true
  }
  const keepReason = (message: string): void => {
    reason = message
    show()
  }
  client.subscribe('error', ({ message }) => keepReason(message))
  room.subscribe('error', ({ type, message }) => type === 'entry' && keepReason(message))
  room.subscribe('status', (status) => {
    if (status === 'connected') reason = ''
    if (status === 'connected') isMissed = false
    show()
  })
  room.subscribe('lost-connection', (change) => {
    isMissed = change !== 'restored'
    show()
  })
  byId('notice')
    .querySelector('button')
    ?.addEventListener('click', () => location.reload())
  cable.onChange(show)
  show()
}

function showStatus(status: Status, isOffline: boolean): void {
  document.body.dataset['status'] = status
  const line = byId('status').querySelector('span') as HTMLSpanElement
  line.textContent = isOffline ? 'Offline' : WORDS[status]
}

function notify(title: string, text: string, canRetry: boolean): void {
  const notice = byId('notice')
  const [titleElement, textElement, button] = notice.querySelectorAll<HTMLElement>('strong, p, button')
  if (!titleElement || !textElement || !button) return
  // An alert that says the same again would be read again.
  if (titleElement.textContent !== title) titleElement.textContent = title
  if (textElement.textContent !== text) textElement.textContent = text
  button.hidden = !canRetry
  notice.hidden = false
}

/** A reason as a sentence of its own. */
function sentence(reason: string): string {
  // The kind of a browser's error tells its user nothing.
  const text = reason.trim().replace(/^\w*Error: /, '')
  return text && text[0]?.toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.')
}
