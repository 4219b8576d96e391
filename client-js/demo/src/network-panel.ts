// The panel of the bad network: sliders for it, and while it is open the ghosts on the board and how late they are.
// Closed, it costs nothing.

import type { Room } from '@hither/client'
import type { CursorLayer } from './cursor-layer.ts'
import { byId } from './dom.ts'
import { drawBars, milliseconds, NOTHING, put } from './figures.ts'
import { Lateness } from './lateness.ts'
import { findNetwork, type Network, setNetwork } from './network.ts'
import { toast } from './speaker.ts'
import { startViewers, type Views } from './viewers.ts'
import { createWriter } from './writer.ts'

/** How often lateness is measured, in milliseconds, which of them is shown, and how many a figure is of. */
const SAMPLE_EVERY = 100
const SHOW_EACH = 5
const SAMPLES_MIN = 20
const SAMPLES_MAX = 60

/** Lets the user see the room through a bad network. */
export function startNetwork(room: Room, layer: CursorLayer): void {
  const details = byId<HTMLDetailsElement>('network')
  const sliders = startSliders()
  let stop = (): void => {}
  details.addEventListener('toggle', async () => {
    stop()
    stop = details.open ? compare(details, room, layer, sliders.apply) : () => {}
    if (!details.open || (await findNetwork())) return
    toast('This server has no bad network.')
    details.open = false
  })
  // Another page may have changed it.
  addEventListener('focus', () => details.open && sliders.read())
  addEventListener('pagehide', () => stop())
}

/** How late the two viewers were, in milliseconds, the newest last. */
type Late = Readonly<Record<keyof Views, number[]>>

/**
 * Shows the room through the bad network, until the function that this returns is called. `handleEntered` is called
 * when the viewers are in: to come in through a bad one may take them long, and it may be another than before.
 */
function compare(details: HTMLElement, room: Room, layer: CursorLayer, handleEntered: () => void): () => void {
  const lateness = new Lateness(room.cursors)
  const late: Late = { live: [], ghosts: [] }
  let views: Views | undefined
  let samples = 0
  // How late they were in another network says nothing of this one.
  const forget = (): void => {
    late.live.length = late.ghosts.length = 0
    showLate(late)
  }
  const stopViewers = startViewers(room.id, (now) => {
    views = now
    layer.show(views?.live.cursors ?? room.cursors, views?.ghosts.cursors)
    byId('legend').hidden = !views
    forget()
    if (views) handleEntered()
  })
  const sample = (): void => {
    const now = performance.now()
    if (views) keep(late.live, lateness.of(views.live.cursors, now))
    if (views) keep(late.ghosts, lateness.of(views.ghosts.cursors, now))
    if (++samples % SHOW_EACH === 0 && !document.hidden) showLate(late)
  }
  const timer = setInterval(sample, SAMPLE_EVERY)
  details.addEventListener('input', forget)
  return () => {
    details.removeEventListener('input', forget)
    clearInterval(timer)
    stopViewers()
    lateness.end()
  }
}

function keep(values: number[], value: number): void {
  if (value >= 0) values.push(value)
  if (values.length > SAMPLES_MAX) values.shift()
}

function showLate({ live, ghosts }: Late): void {
  const isKnown = Math.min(live.length, ghosts.length) >= SAMPLES_MIN
  const [usual, usualGhosts] = [median(live), median(ghosts)]
  const ghostsText = isKnown ? milliseconds(usualGhosts) : NOTHING
  put('network-live', isKnown ? milliseconds(usual) : NOTHING)
  put('network-ghosts', ghostsText)
  put('legend-ghosts', ghostsText)
  drawBars([
    ['network-bar-live', isKnown ? usual : 0],
    ['network-bar-ghosts', isKnown ? usualGhosts : 0],
  ])
  const [worst, worstGhosts] = [live, ghosts].map((values) => milliseconds(Math.max(...values)))
  put('network-worst', isKnown ? `At worst, of late: ${worst} and ${worstGhosts}.` : 'Shows while others move.')
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN
}

interface Sliders {
  /** Shows how the network is. */
  read(): void
  /** Makes a network as bad as it is to be, unless it is bad already: then shows how it is. */
  apply(): void
}

function startSliders(): Sliders {
  const loss = byId<HTMLInputElement>('network-loss')
  const delay = byId<HTMLInputElement>('network-delay')
  const show = (): void => {
    put('network-loss-text', `${loss.value} %`)
    put('network-delay-text', `${delay.value} ms`)
  }
  const writer = createWriter<Network>(
    async (network) => {
      if (!(await setNetwork(network))) throw new Error('the server does not take it')
    },
    () => toast('The network could not be changed.'),
  )
  const write = (): void => {
    show()
    writer.write({ loss: loss.valueAsNumber / 100, delayMs: delay.valueAsNumber })
  }
  const read = async (applies: boolean): Promise<void> => {
    const found = await findNetwork()
    // What the user does goes before what is found.
    if (!found || writer.isBusy) return
    if (applies && found.loss === 0 && found.delayMs === 0) return write()
    loss.value = `${Math.round(found.loss * 100)}`
    delay.value = `${found.delayMs}`
    show()
  }
  show()
  loss.addEventListener('input', write)
  delay.addEventListener('input', write)
  return { read: () => void read(false), apply: () => void read(true) }
}
