// Pages in a network that lets no UDP through, by a firewall: they come in by WebSocket, all is there, and once UDP is
// back, so is WebTransport. It is run by `npm run test:blocked`, which needs a Linux that makes network namespaces.

import { exchange, isIn } from './support/exchange.ts'
import { blockUdp } from './support/firewall.ts'
import { scenario } from './support/scenario.ts'

/** From the client's first call to its room, in milliseconds. */
const DEADLINE = 1_500
/** A connection that dies is noticed by its silence, and made again. */
const AGAIN = 10_000

scenario(
  'W1: where a firewall drops UDP, pages are in their room by WebSocket within 1.5 s, and by WebTransport without it',
  async (world) => {
    const { page, sees } = world
    const edsger = await page('Edsger')
    await sees(edsger, 'the room by WebTransport', isIn('webtransport'))
    const free = blockUdp()
    try {
      const ada = await page('Ada')
      await sees(ada, 'the room by WebSocket', isIn('websocket'), DEADLINE)
      await sees(edsger, 'the room by WebSocket, too', isIn('websocket'), AGAIN)
      await exchange(world, ada, edsger)
      free()
      for (const guest of [ada, edsger]) {
        await guest.reload()
        await sees(guest, 'the room by WebTransport', isIn('webtransport'))
      }
      await exchange(world, edsger, ada)
    } finally {
      free()
    }
  },
  // What browsers write to the console when nobody answers.
  { complaints: /net::ERR_|WebTransport|WebSocket/ },
)
