// The wire panel: what this room costs and how fresh it is, while it happens. Figures change twice a second, so that
// they can be read.

import type { Room, RoomStats } from '@hither/client'
import { byId } from './dom.ts'
import { drawBars, milliseconds, NOTHING, put } from './figures.ts'
import { companyIn } from './member.ts'
import { Sparkline } from './sparkline.ts'
import { Meter, type Rates } from './wire-meter.ts'

/** How often a sample is taken, in milliseconds, and which of them is shown. */
const SAMPLE_EVERY = 100
const SHOW_EACH = 5
const STILL = 'What a cursor costs shows while others move.'
const NO_AGE = 'Shows once you and somebody else move at the same time.'

const TRANSPORTS: Readonly<Record<string, string>> = { webtransport: 'WebTransport', websocket: 'WebSocket' }

/** Measures the room and shows the figures. */
export function showWire(room: Room): void {
  const meter = new Meter(room)
  const ages = new Sparkline(byId<HTMLCanvasElement>('wire-ages'))
  let samples = 0
  let agesSeen = 0
  setInterval(() => {
    const stats = room.getStats()
    if (stats.cursorAgeMs !== null && stats.cursorAges !== agesSeen) ages.push(stats.cursorAgeMs)
    agesSeen = stats.cursorAges
    const rates = meter.sample(performance.now(), stats)
    if (samples++ % SHOW_EACH || document.hidden) return
    showBytes(rates)
    const others = companyIn(room).length
    showAge(stats, ages, others > 0)
    showFacts(stats, rates, others + 1)
    ages.draw()
  }, SAMPLE_EVERY)
}

function showBytes({ bytesPerCursor: own, mapBytesPerCursor: maps }: Rates): void {
  const isMoving = own !== null && maps !== null
  const hero = byId('wire-hero')
  hero.classList.toggle('still', !isMoving)
  put('wire-saving', isMoving ? saving(own / maps) : STILL)
  if (!isMoving) return
  hero.classList.remove('empty')
  put('wire-bytes', own.toFixed(1))
  put('wire-own', `${own.toFixed(1)} B`)
  put('wire-maps', `${maps.toFixed(1)} B`)
  put('peek-wire', `${own.toFixed(1)} B a cursor`)
  drawBars([
    ['wire-bar-own', own],
    ['wire-bar-maps', maps],
  ])
}

function saving(part: number): string {
  if (part >= 1) return 'One cursor alone fills no datagram; more share it.'
  return `${Math.round((1 - part) * 100)} % less than as MessagePack maps.`
}

function showAge({ cursorAgeMs: age }: RoomStats, ages: Sparkline, hasCompany: boolean): void {
  const isKnown = age !== null
  put('wire-age', isKnown ? milliseconds(age) : NOTHING)
  put('wire-age-note', isKnown ? `median ${milliseconds(ages.at(0.5))}, at most ${milliseconds(ages.at(1))}` : NO_AGE)
  byId('wire-ages').classList.toggle('empty', !isKnown || !hasCompany)
}

function showFacts(stats: RoomStats, { datagramsIn, datagramsOut }: Rates, members: number): void {
  const isIn = stats.tickHz !== null
  put('wire-in', isIn ? `${Math.round(datagramsIn)} / s` : NOTHING)
  put('wire-out', isIn ? `${Math.round(datagramsOut)} / s` : NOTHING)
  put('wire-rtt', stats.rttMs === null ? NOTHING : milliseconds(stats.rttMs))
  put('wire-hz', stats.tickHz === null ? NOTHING : `${stats.tickHz} Hz`)
  put('wire-members', isIn ? `${members}` : NOTHING)
  put('wire-transport', stats.transport === null ? NOTHING : (TRANSPORTS[stats.transport] ?? stats.transport))
}
