// What two guests do to find out whether everything works between them, however they are connected.

import { isDeepStrictEqual } from 'node:util'
import type { Knowledge } from '../page/knowledge.ts'
import type { Guest } from './guest.ts'
import type { World } from './world.ts'

/** Whether a guest is in its room, and by what. */
export const isIn =
  (type: 'webtransport' | 'websocket') =>
  ({ status, transport }: Knowledge): boolean =>
    status === 'connected' && transport[0] === type

/** Expects cursors, presence, events and records to come from either to the other. */
export async function exchange({ sees }: World, one: Guest, other: Guest): Promise<void> {
  for (const [x, from, to] of [
    [1, one, other],
    [2, other, one],
  ] as const) {
    const { name } = from
    await from.order({ motion: [x, 7] })
    await from.order({ presence: { mood: name } })
    await from.order({ put: { id: name, fields: { x } } })
    await from.order({ event: { name: 'wave', data: x } })
    await sees(to, `${name}'s cursor`, ({ cursors }) => isDeepStrictEqual(cursors[name], [x, 7]))
    await sees(to, `${name}'s presence`, ({ others }) => others[name]?.presence['mood'] === name)
    await sees(to, `${name}'s wave`, ({ events }) => events.some(({ from }) => from === name))
    for (const guest of [from, to]) await sees(guest, `${name}'s record`, ({ records }) => records[name]?.['x'] === x)
  }
}
