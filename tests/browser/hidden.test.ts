// A page that nobody looks at: the others know it, it gets no motion, and it is right again when it is back.

import { isDeepStrictEqual } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import type { Knowledge } from './page/knowledge.ts'
import { hide } from './support/hide.ts'
import { scenario } from './support/scenario.ts'
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
