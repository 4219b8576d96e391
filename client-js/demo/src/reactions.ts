// Reactions: events that everyone sees rise from the sender's cursor and fade. They are seen once and kept nowhere.

import type { Room, User } from '@hither/client'
import type { Board } from './board.ts'
import { byId, isPlain, make } from './dom.ts'
import type { Hand } from './hand.ts'
import { percent, type Place, SPACE } from './space.ts'

/** The reactions that this page offers, and what they are called. */
const EMOJIS: readonly (readonly [emoji: string, name: string])[] = [
  ['👋', 'Wave'],
  ['🎉', 'Celebrate'],
  ['❤️', 'Love'],
  ['👍', 'Like'],
  ['😄', 'Laugh'],
  ['🔥', 'Fire'],
]
/** Reactions on the board at a time; what comes beyond is not shown. */
const SHOWN_MAX = 60
/** The longest emoji that is shown, in UTF-16 units: a family of four has eleven. */
const EMOJI_MAX = 16

/** Shows the others' reactions, and lets the user react by buttons, and on the board by the keys 1 to 6. */
export function startReactions(room: Room, board: Board, hand: Hand): void {
  const buttons = byId('emojis')
  const react = (emoji: string): void => {
    rise(emoji, hand.place)
    room.broadcast('reaction', { emoji })
  }
  EMOJIS.forEach(([emoji, name], index) => {
    const button = make('button', 'button quiet square emoji', emoji)
    button.type = 'button'
    button.disabled = true
    button.title = `${name} (${index + 1} on the board)`
    button.ariaLabel = name
    button.addEventListener('click', () => react(emoji))
    buttons.append(button)
  })
  room.subscribe('status', (status) => {
    for (const button of buttons.querySelectorAll('button')) button.disabled = status !== 'connected'
  })
  board.pad.addEventListener('keydown', (event) => {
    const emoji = EMOJIS[Number(event.key) - 1]?.[0]
    if (emoji && !event.repeat && isPlain(event) && room.getStatus() === 'connected') react(emoji)
  })
  room.subscribe('event', ({ name, data, user }) => {
    if (name === 'reaction' && isEmoji(data?.emoji)) rise(data.emoji, placeOf(room, user))
  })
}

/** Somebody whose cursor is not known reacts from below. */
function placeOf(room: Room, user: User | null): Place {
  return (user && room.cursors.get(user.connectionId)) ?? { x: SPACE / 2, y: SPACE * 0.9 }
}

/** Whether what somebody sent is an emoji, and not a text of theirs. */
export function isEmoji(value: unknown): value is string {
  return typeof value === 'string' && value.length <= EMOJI_MAX && /^\p{Extended_Pictographic}/u.test(value)
}

function rise(emoji: string, { x, y }: Place): void {
  const layer = byId('reactions')
  if (layer.childElementCount >= SHOWN_MAX || document.hidden) return
  const element = make('span', 'reaction', emoji)
  element.style.left = percent(x)
  element.style.top = percent(y)
  element.style.setProperty('--sway', `${Math.random() * 2 - 1}`)
  element.addEventListener('animationend', () => element.remove())
  layer.append(element)
}
