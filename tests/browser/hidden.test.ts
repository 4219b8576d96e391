// A page that nobody looks at: the others know it, it gets no motion, and it is right again when it is back.

import { isDeepStrictEqual } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import type { Knowledge } from './page/knowledge.ts'
import { isIn } from './support/exchange.ts'
import { hide } from './support/hide.ts'
import { scenario } from './support/scenario.ts'
import { type Discovery, silentPort } from './support/server.ts'
import { Unmet } from './support/world.ts'

scenario('P4: who is hidden is away, gets no motion, and sees where everybody is when it is back', async (world) => {
  const { sees } = world
  const [ada, grace, edsger] = await Promise.all([world.page('Ada'), world.page('Grace'), world.worker('Edsger')])
  const isGraceAt = (x: number, y: number) => (knows: Knowledge) => isDeepStrictEqual(knows.cursors['Grace'], [x, y])
  await grace.order({ motion: [1, 2] })
  for (const guest of [ada, edsger]) await sees(guest, 'Grace at her first place', isGraceAt(1, 2))

  const show = await hide(ada.page)
  for (const guest of [grace, edsger]) await sees(guest, 'Ada away', ({ others }) => others['Ada']?.status === 'away')
  const { moves } = ada.knows.value
  await world.expects('Edsger sees Grace move, and Ada does not', async (sees) => {
    for (let x = 0; x <= 30; x++) {
      await grace.order({ motion: [x, -x] })
      await pause(16)
    }
    await sees(edsger, 'Grace at her last place', isGraceAt(30, -30))
    // What comes on streams comes to who is away, too.
    await grace.order({ event: { name: 'rested', data: null } })
    await sees(ada, 'that Grace has come to rest', ({ events }) => events.length === 1)
    const more = ada.knows.value.moves - moves
    if (more > 0) throw new Unmet(`Ada was told of ${more} moves while she was away`)
  })

  await show()
  for (const guest of [grace, edsger]) await sees(guest, 'Ada back', ({ others }) => others['Ada']?.status === 'active')
  await sees(ada, 'Grace at her last place', isGraceAt(30, -30))
})

/** Longer than a connection may be silent, and than who is lost is waited for, in milliseconds. */
const HIDDEN_MS = 6_000
/** How long the others may take to be there again. */
const AT_ONCE_MS = 2_000

scenario(
  'P4: who is hidden for long stays, whatever becomes of the timers, and has everybody at once when it is back',
  async (world) => {
    const { sees } = world
    const blocked = await silentPort()
    const rumour = (discovery: Discovery): Discovery => ({ ...discovery, quic: blocked.address })
    const [ada, edsger] = await Promise.all([world.page('Ada'), world.page('Edsger', { rumour })])
    const barbara = await world.native('Barbara')
    await sees(ada, 'the room by WebTransport', isIn('webtransport'))
    await sees(edsger, 'the room by WebSocket', isIn('websocket'))
    const shows = [await hide(ada.page), await hide(edsger.page)]

    await world.expects('they stay, and hear of no motion', async (sees) => {
      await sees(barbara, 'both away', ({ others }) => {
        return others['Ada']?.status === 'away' && others['Edsger']?.status === 'away'
      })
      const movesOf = (): number => ada.knows.value.moves + edsger.knows.value.moves
      const moves = movesOf()
      const moving = setInterval(() => void barbara.order({ motion: [performance.now() % 1_000, 1] }), 100)
      const isOver = await barbara.knows.until(({ lost, gone }) => lost.length + gone.length > 0, HIDDEN_MS)
      clearInterval(moving)
      if (isOver) throw new Unmet('who is hidden was lost')
      if (movesOf() > moves) throw new Unmet('who is hidden was told of motion')
    })
    await barbara.order({ motion: [30, -30] })
    for (const show of shows) await show()
    for (const guest of [ada, edsger]) {
      await sees(
        guest,
        'everybody',
        ({ status, others, cursors }) => {
          const isThere = status === 'connected' && Object.keys(others).length === 2
          return isThere && isDeepStrictEqual(cursors['Barbara'], [30, -30])
        },
        AT_ONCE_MS,
      )
    }
    for (const { name } of [ada, edsger]) {
      await sees(barbara, `${name} back`, ({ others }) => others[name]?.status === 'active')
    }
    blocked.close()
  },
  // What browsers write to the console when nobody answers.
  { complaints: /net::ERR_|WebTransport/ },
)
