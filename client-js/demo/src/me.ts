// The user of this page: a name and a hue, made up on the first visit and remembered from then on.

import type { Room } from '@hither/client'
import { setHue } from './colour.ts'
import { byId } from './dom.ts'
import { hueFrom } from './member.ts'
import type { Presence } from './register.ts'
import { recall, remember } from './stored.ts'
import { personName } from './words.ts'
import { createWriter } from './writer.ts'

/** The name and the hue of an earlier visit, or new ones. */
export function rememberedMe(): Presence {
  const hue = recall('hue')
  const color = (hue === null ? undefined : hueFrom(Number(hue))) ?? Math.floor(Math.random() * 360)
  const name = recall('name') || personName()
  const me = { name, color }
  keep(me)
  return me
}

/** Lets the user change both in place; the others see it while it changes. */
export function editMe(room: Room): void {
  const name = byId<HTMLInputElement>('my-name')
  const hue = byId<HTMLInputElement>('my-hue')
  const presence = createWriter<Partial<Presence>>((patch) => room.updatePresence(patch))
  const change = (patch: Partial<Presence>): void => {
    presence.write(patch)
    keep(patch)
  }

  name.value = room.getPresence().name
  hue.value = `${room.getPresence().color}`
  setHue(document.documentElement, hue.valueAsNumber)

  name.addEventListener('input', () => {
    if (name.value.trim()) change({ name: name.value.trim() })
  })
  name.addEventListener('blur', () => {
    name.value = room.getPresence().name
  })
  name.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === 'Escape') name.blur()
  })
  hue.addEventListener('input', () => {
    setHue(document.documentElement, hue.valueAsNumber)
    change({ color: hue.valueAsNumber })
  })
}

function keep({ name, color }: Partial<Presence>): void {
  if (name !== undefined) remember('name', name)
  if (color !== undefined) remember('hue', `${color}`)
}
