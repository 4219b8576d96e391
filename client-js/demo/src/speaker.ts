// What the page says to those who listen instead of look, and the short notes that it shows. It gathers joins and
// reactions for a while and says them in one sentence: a room of fifty is not fifty sentences.

import type { Room } from '@hither/client'
import { byId } from './dom.ts'
import { companyIn, isBot, isViewer, nameOf } from './member.ts'
import { isEmoji } from './reactions.ts'

/** How long things are gathered before they are said, in milliseconds. */
const GATHER = 2_500
/** How long a note is shown. */
const SHOW = 3_500
/** Names in one sentence. */
const NAMES_MAX = 3

/** Says something once, politely. */
export function say(text: string): void {
  byId('said').textContent = text
}

let hiding = 0

/** Shows a note for a moment; who listens hears it. */
export function toast(text: string): void {
  const element = byId('toast')
  element.textContent = text
  clearTimeout(hiding)
  hiding = setTimeout(() => (element.textContent = ''), SHOW)
}

/** Says who joins and leaves, and how people react. */
export function speakOf(room: Room): void {
  const joined = new Set<string>()
  const left = new Set<string>()
  const reactions = new Set<string>()
  let bots = 0
  let timer = 0
  const tell = (): void => {
    timer = 0
    const parts = [
      joined.size ? `${listed(joined)} joined` : '',
      left.size ? `${listed(left)} left` : '',
      bots > 0 ? `${bots} bots joined` : bots < 0 ? `${-bots} bots left` : '',
      reactions.size ? [...reactions].join(', ') : '',
    ].filter(Boolean)
    if (parts.length) say(`${parts.join('. ')}.`)
    joined.clear()
    left.clear()
    reactions.clear()
    bots = 0
  }
  const gather = (): void => {
    timer ||= setTimeout(tell, GATHER)
  }

  room.subscribe('others', (_, change) => {
    if (change.type === 'reset') return say(`You are in the room. Others here: ${companyIn(room).length}.`)
    if (change.type === 'update' || isViewer(change.user)) return
    const isNew = change.type === 'enter'
    if (isBot(change.user)) bots += isNew ? 1 : -1
    // Who reloads the page leaves and joins, which is nothing to tell.
    else if (!(isNew ? left : joined).delete(nameOf(change.user))) (isNew ? joined : left).add(nameOf(change.user))
    gather()
  })
  room.subscribe('event', ({ name, data, user }) => {
    if (name !== 'reaction' || !user || isBot(user) || !isEmoji(data?.emoji)) return
    reactions.add(`${nameOf(user)} reacts ${data.emoji}`)
    gather()
  })
}

function listed(names: Set<string>): string {
  const all = [...names]
  const rest = all.length - NAMES_MAX
  return all.slice(0, NAMES_MAX).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}
