// The members' cursors: who they are comes with the others, where they are with the cursors.

import type { Room } from '@hither/client'
import type { CursorLayer } from './cursor-layer.ts'
import { oncePerFrame } from './dom.ts'
import { OWN } from './hand.ts'
import { hueOf, isBot, nameOf } from './member.ts'

/** Shows everyone's cursor in the layer. */
export function showCursors(room: Room, layer: CursorLayer): void {
  const dressSelf = (): void => {
    const { name, color } = room.getPresence()
    layer.dress(OWN, { name, hue: color, isBot: false, isHere: true })
  }
  const dressOthers = (): void => {
    const ids = new Set([OWN])
    for (const user of room.getOthers()) {
      ids.add(user.connectionId)
      const isHere = user.status === 'active'
      layer.dress(user.connectionId, { name: nameOf(user), hue: hueOf(user), isBot: isBot(user), isHere })
    }
    layer.keep(ids)
  }
  dressSelf()
  room.subscribe('my-presence', dressSelf)
  // Fifty who come at once are fifty changes, and one look at them.
  room.subscribe(
    'others',
    oncePerFrame(() => {
      dressOthers()
      room.cursors.forEach(({ connectionId, x, y }) => layer.move(connectionId, x, y))
    }),
  )
  room.cursors.subscribe(({ connectionId, x, y }) => layer.move(connectionId, x, y))
}
