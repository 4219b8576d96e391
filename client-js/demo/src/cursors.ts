// Who the cursors' members are: where they are, the layer asks the client itself.

import type { Room } from '@hither/client'
import { type CursorLayer, OWN } from './cursor-layer.ts'
import { oncePerFrame } from './dom.ts'
import { companyIn, hueOf, isBot, nameOf } from './member.ts'

/** Shows everyone's cursor in the layer. */
export function showCursors(room: Room, layer: CursorLayer): void {
  const dressSelf = (): void => {
    const { name, color } = room.getPresence()
    layer.dress(OWN, { name, hue: color, isBot: false, isHere: true })
  }
  const dressOthers = (): void => {
    const ids = new Set([OWN])
    for (const user of companyIn(room)) {
      ids.add(user.connectionId)
      const isHere = user.status === 'active'
      layer.dress(user.connectionId, { name: nameOf(user), hue: hueOf(user), isBot: isBot(user), isHere })
    }
    layer.keep(ids)
  }
  dressSelf()
  room.subscribe('my-presence', dressSelf)
  // Fifty who come at once are fifty changes, and one look at them.
  room.subscribe('others', oncePerFrame(dressOthers))
}
