// Who somebody is, for the eye. Others may run another version of this page, or no page at all: what they say of
// themselves is looked at before it is shown.

import type { Room, User } from '@hither/client'

/** The longest name that is shown, in characters. */
const NAME_MAX = 24
/** Neighbours on this way round the circle of hues are never alike. */
const GOLDEN_ANGLE = 137

/** The name of a member. */
export function nameOf({ presence, info }: User): string {
  const name: unknown = presence.name
  return (typeof name === 'string' && [...name.trim()].slice(0, NAME_MAX).join('')) || info.name || 'Somebody'
}

/** The hue of a member, 0 to 359. */
export function hueOf({ presence, connectionId }: User): number {
  return hueFrom(presence.color) ?? (connectionId * GOLDEN_ANGLE) % 360
}

/** A hue that somebody else wrote, if it is one. */
export function hueFrom(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? ((Math.round(value) % 360) + 360) % 360 : undefined
}

/** Whether a member says that it is a bot. */
export function isBot({ presence }: User): boolean {
  return presence.bot === true
}

/** Whether a member only looks on, for somebody who is in the room anyway. */
export function isViewer({ presence }: User): boolean {
  return presence.viewer === true
}

/** The others that count as company: all but viewers. */
export function companyIn(room: Room): readonly User[] {
  return room.getOthers().filter((user) => !isViewer(user))
}
