// Who is here. People are listed one by one, bots in one line: they are company, but not acquaintances.

import type { Room, User } from '@hither/client'
import { setHue } from './colour.ts'
import { byId, make, oncePerFrame } from './dom.ts'
import { companyIn, hueOf, isBot, nameOf } from './member.ts'

/** People in the list; the others are counted. */
const LISTED_MAX = 30

/** Lists the members. */
export function showPeople(room: Room): void {
  const list = byId('people')
  const botsLine = byId('people-bots')
  const show = (): void => {
    const others = companyIn(room)
    const people = others.filter((user) => !isBot(user))
    const bots = others.length - people.length
    const all = others.length + 1
    list.replaceChildren(...people.slice(0, LISTED_MAX).map(row))
    if (people.length > LISTED_MAX) list.append(make('li', 'person more', `and ${people.length - LISTED_MAX} more`))
    botsLine.hidden = bots === 0
    botsLine.textContent = bots === 1 ? 'and 1 bot' : `and ${bots} bots`
    byId('people-count').textContent = `${all}`
    byId('peek-people').textContent = `${all} here`
    byId('welcome').hidden = room.getStatus() !== 'connected' || others.length > 0
  }
  const showSoon = oncePerFrame(show)
  room.subscribe('others', showSoon)
  room.subscribe('status', showSoon)
}

function row(user: User): HTMLLIElement {
  const item = make('li', 'person')
  const swatch = make('i', 'dot')
  swatch.ariaHidden = 'true'
  setHue(swatch, hueOf(user))
  item.append(swatch, make('span', 'name', nameOf(user)))
  if (user.status !== 'active') {
    item.classList.add('absent')
    item.append(make('span', 'tag', user.status === 'away' ? 'away' : 'connection lost'))
  }
  return item
}
