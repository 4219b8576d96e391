// The other members of a room as the application sees them. They stay over reconnects: what is there then is compared
// with what was shown.

import { connectionId } from './cursors.ts'
import { isEqual } from './equal.ts'
import type { MemberChange, Membership } from './session/membership.ts'
import type { MemberStatus, OthersChange, RoomTypes, User } from './types.ts'
import type { MemberMessage } from './wire/control.ts'

const STATUSES: readonly MemberStatus[] = ['active', 'away', 'lost']

/** The users by `connectionId`, and an array of them that is never changed. */
export class Others<T extends RoomTypes> {
  list: readonly User<T>[] = []
  readonly #users = new Map<number, User<T>>()

  get(connectionId: number): User<T> | undefined {
    return this.#users.get(connectionId)
  }

  /** Puts the members of a new membership in the place of those that were shown, and returns what has changed. */
  replace(membership: Membership): OthersChange<T>[] {
    const gone = new Map(this.#users)
    const changes: OthersChange<T>[] = []
    this.#users.clear()
    for (const member of membership.members.values()) {
      if (member.slot === membership.slot) continue
      const now = user<T>(member)
      const id = now.connectionId
      const was = gone.get(id)
      // In another epoch it may be somebody else's number (rule S5).
      const isKnown = was?.id === now.id
      const isSame = isKnown && isEqual(was, now)
      if (isKnown) gone.delete(id)
      if (!isSame) changes.push({ type: isKnown ? 'update' : 'enter', user: now })
      this.#users.set(id, isSame ? was : now)
    }
    return this.#changed([...Array.from(gone.values(), (user) => ({ type: 'leave', user }) as const), ...changes])
  }

  /** Takes what a tick has changed. */
  change(changes: readonly MemberChange[]): OthersChange<T>[] {
    const told = changes.map(({ type, member }) => ({ type, user: user<T>(member) }))
    for (const { type, user } of told) {
      if (type === 'leave') this.#users.delete(user.connectionId)
      else this.#users.set(user.connectionId, user)
    }
    return this.#changed(told)
  }

  clear(): void {
    this.#users.clear()
    this.list = []
  }

  #changed(changes: OthersChange<T>[]): OthersChange<T>[] {
    if (changes.length) this.list = [...this.#users.values()]
    return changes
  }
}

/** A member as the application sees it. */
export function user<T extends RoomTypes>(member: MemberMessage): User<T> {
  const { id, name } = member.user
  return {
    connectionId: connectionId(member),
    id,
    info: { name },
    presence: member.presence as T['Presence'],
    status: STATUSES[member.status] as MemberStatus,
  }
}
