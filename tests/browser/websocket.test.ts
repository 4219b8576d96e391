// A network that lets no UDP through: a page comes in by WebSocket, all is there, and once UDP is back, so is
// WebTransport.

import { exchange, isIn } from './support/exchange.ts'
import { scenario } from './support/scenario.ts'
import { silentPort } from './support/server.ts'

/** From the client's first call to its room, in milliseconds. */
const DEADLINE = 1_500

scenario(
  'W1: a page without UDP is in its room by WebSocket within 1.5 s, and by WebTransport when UDP is back',
  async (world) => {
    const { server, page, sees } = world
    const blocked = await silentPort()
    let isBlocked = true
    const grace = await page('Grace')
    const ada = await page('Ada', {
      rumour: (discovery) => (isBlocked ? { ...discovery, quic: blocked.address } : discovery),
    })
    await sees(ada, 'the room by WebSocket', isIn('websocket'), DEADLINE)
    await sees(ada, 'why', ({ transport }) => transport[1] === 'slower')
    await sees(grace, 'the room by WebTransport', isIn('webtransport'))

    await exchange(world, ada, grace)

    isBlocked = false
    await server.end('SIGKILL')
    await sees(ada, 'the connection lost', ({ status }) => status === 'reconnecting')
    await server.restart()
    await sees(ada, 'the room by WebTransport', isIn('webtransport'), 15_000)
    await sees(ada, 'Grace again', ({ status, others }) => status === 'connected' && 'Grace' in others, 15_000)
    blocked.close()
  },
  // What the browser writes to the console when nobody answers.
  { complaints: /net::ERR_|WebTransport|WebSocket/ },
)
