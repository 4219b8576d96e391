// A server that goes away, with or without a word: its pages come back by themselves, to all that is there then.

import { isDeepStrictEqual } from 'node:util'
import type { Knowledge } from './page/knowledge.ts'
import { scenario } from './support/scenario.ts'

scenario(
  'C2: pages and Workers come back to a server that was started anew, with presence, cursors and the newest records',
  async ({ server, page, worker, sees }) => {
    const [ada, edsger] = await Promise.all([page('Ada'), worker('Edsger')])
    await sees(ada, 'Edsger', ({ others }) => others['Edsger'] !== undefined)
    await sees(edsger, 'Ada', ({ others }) => others['Ada'] !== undefined)
    await ada.order({ presence: { mood: 'calm' } })

    for (const [x, signal] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
      await server.end(signal)
      for (const [guest, other] of [
        [ada, 'Edsger'],
        [edsger, 'Ada'],
      ] as const) {
        const isLost = ({ status, others }: Knowledge): boolean => status === 'reconnecting' && !!others[other]
        await sees(guest, `${signal}: the connection lost, and ${other} still`, isLost)
      }
      // Who changes while nobody hears it comes back changed.
      await edsger.order({ presence: { since: signal } })
      await edsger.order({ motion: [x, 11] })
      await server.restart()

      await sees(ada, `${signal}: the room again, and Edsger as he is now`, ({ status, others, cursors }) => {
        const isNew = isDeepStrictEqual(others['Edsger']?.presence, { name: 'Edsger', since: signal })
        return status === 'connected' && isNew && isDeepStrictEqual(cursors['Edsger'], [x, 11])
      })
      await sees(edsger, `${signal}: the room again, and Ada as she was`, ({ status, others }) => {
        return status === 'connected' && isDeepStrictEqual(others['Ada']?.presence, { name: 'Ada', mood: 'calm' })
      })
      await edsger.order({ put: { id: 'note', fields: { text: signal } } })
      const isNewest = ({ records }: Knowledge): boolean => records['note']?.['text'] === signal
      for (const guest of [ada, edsger]) await sees(guest, `${signal}: the newest record`, isNewest)
    }
  },
  // What the browser writes to the console when nobody answers.
  { complaints: /net::ERR_|WebTransport/ },
)

scenario('S1, S4: a page that is loaded anew is the member that it was, and nobody sees it leave', async (world) => {
  const { page, sees } = world
  const [ada, edsger] = await Promise.all([page('Ada'), page('Edsger')])
  await sees(edsger, 'Ada', ({ others }) => others['Ada'] !== undefined)
  await sees(ada, 'Edsger', ({ others }) => others['Edsger'] !== undefined)
  for (let time = 1; time <= 3; time++) {
    await ada.reload()
    await sees(edsger, 'Ada lost and back', ({ others, lost, gone }) => {
      return lost.length === time && others['Ada']?.status === 'active' && gone.length === 0
    })
    await sees(ada, 'the room again, as before', ({ resumed, others }) => resumed && !!others['Edsger'])
    await ada.order({ put: { id: 'note', fields: { time } } })
    await sees(edsger, 'what Ada has edited since', ({ records }) => records['note']?.['time'] === time)
  }
})
