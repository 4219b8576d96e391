// Two viewers of the page's room that come through the bad network, one by datagrams and one by a stream: the same room
// twice, under the same conditions. The page itself stays with its own connection, so that it works in any weather.

import { type Client, createClient, type Room } from '@hither/client'
import { findWay, type Way } from './network.ts'

/** The room as the two see it. */
export interface Views {
  /** Its motion came in datagrams. */
  readonly live: Room
  /** Its motion came over one reliable stream. */
  readonly ghosts: Room
}

/** How long after a server that was not there it is asked again, in milliseconds. */
const AGAIN = 500

/**
 * Has two viewers enter a room, until the function that this returns is called. `show` gets what they see once both are
 * in. One that loses its connection makes another by itself; what it showed stays until then.
 */
export function startViewers(room: string, show: (views: Views | undefined) => void): () => void {
  let known: Way | undefined
  let clients: readonly Client[] = []
  let timer = 0
  let isOver = false
  const leave = (): void => {
    for (const client of clients) void client.logout()
    show(undefined)
  }
  const look = async (): Promise<void> => {
    const way = await findWay()
    clearTimeout(timer)
    if (isOver) return
    if (!way) timer = setTimeout(look, AGAIN)
    // A server that was started again has another certificate, and another relay, which the clients do not know.
    else if (way.certSha256 !== known?.certSha256) enter(way)
  }
  const enter = (way: Way): void => {
    leave()
    known = way
    // A relay of UDP has nothing for a WebSocket.
    const options = { ...way, transports: 'webtransport' } as const
    const [live, ghosts] = [createClient(options), createClient({ ...options, motion: 'stream' })]
    clients = [live, ghosts]
    for (const client of clients) client.subscribe('error', look)
    const views = { live: viewer(live, room), ghosts: viewer(ghosts, room) }
    let waiting = 2
    for (const view of Object.values(views)) {
      const end = view.subscribe('status', (status) => {
        if (status !== 'connected') return
        end()
        if (--waiting === 0) show(views)
      })
    }
  }
  void look()
  return () => {
    isOver = true
    clearTimeout(timer)
    leave()
  }
}

function viewer(client: Client, id: string): Room {
  return client.enterRoom(id, { initialPresence: { name: 'Viewer', color: 0, viewer: true } }).room
}
