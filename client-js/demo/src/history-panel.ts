// The list of the last edits. Closed, it costs nothing; open, it looks again a little after something has changed.

import type { Room } from '@hither/client'
import { setHue } from './colour.ts'
import { byId, make } from './dom.ts'
import { historyLines, type Line } from './history-words.ts'
import { hueOf, nameOf } from './member.ts'
import { noteFrom, titleOf } from './note-fields.ts'

/** Lines in the list, and the edits that they are made of: a drag alone is twenty a second. */
const LINES_MAX = 8
const EDITS_MAX = 100
/** From one look to the next, in milliseconds. */
const LOOK_EVERY = 1_500

interface Known {
  readonly name: string
  readonly hue: number
}

/** Lets the user see who did what. */
export function showHistory(room: Room): void {
  const details = byId<HTMLDetailsElement>('history')
  const list = byId('history-list')
  const people = new Map<string, Known>()
  let timer = 0
  let isChanged = false
  const meet = (): void => {
    for (const user of room.getOthers()) people.set(user.id, { name: nameOf(user), hue: hueOf(user) })
    const self = room.getSelf()
    if (self) people.set(self.id, { name: 'You', hue: hueOf(self) })
  }
  const look = async (): Promise<void> => {
    timer = setTimeout(() => {
      timer = 0
      lookIfChanged()
    }, LOOK_EVERY)
    isChanged = false
    const edits = await room.history({ limit: EDITS_MAX }).catch(() => undefined)
    // Without a connection it stays as it is.
    if (!edits) return
    const lines = historyLines(edits).slice(0, LINES_MAX)
    list.replaceChildren(...lines.map((line) => item(line, people.get(line.userId), room)))
    byId('history-none').hidden = lines.length > 0
  }
  const lookIfChanged = (): void => {
    if (details.open && isChanged && !timer) void look()
  }
  const change = (): void => {
    isChanged = true
    lookIfChanged()
  }
  meet()
  room.subscribe('others', meet)
  room.subscribe('status', () => {
    meet()
    change()
  })
  room.records.subscribe(change)
  details.addEventListener('toggle', change)
}

function item({ what, id, time }: Line, who: Known | undefined, room: Room): HTMLLIElement {
  const element = make('li', 'past')
  const dot = make('i', 'dot')
  dot.ariaHidden = 'true'
  setHue(dot, who?.hue ?? 0)
  const title = titleOf(noteFrom(room.records.get(id))?.text ?? '')
  const did = make('span', 'did')
  did.append(make('b', '', who?.name ?? 'Somebody'), ` ${what} ${title ? `“${title}”` : 'a note'}`)
  const date = new Date(time)
  const at = make('time', '', date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }))
  at.dateTime = date.toISOString()
  element.append(dot, did, at)
  return element
}
