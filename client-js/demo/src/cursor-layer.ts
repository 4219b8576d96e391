// All cursors on one canvas, drawn only while something moves, where the client says that they are to be seen. Nothing
// here allocates for a frame or for a move: this is the path that two hundred people share.

import type { Cursors } from '@hither/client'
import type { Board } from './board.ts'
import { type Look, Looks } from './cursor-looks.ts'
import { byId, wantsStillness } from './dom.ts'
import { type Place, SPACE } from './space.ts'
import { onTheme } from './theme.ts'

/** Where a label lies from its cursor's tip, in CSS pixels. */
const LABEL_X = 12
const LABEL_Y = 15
/** On a board narrower than this, in CSS pixels, bots have no labels. */
const NARROW = 560
/** What the layer knows the own cursor by; no member has it. */
export const OWN = -1
/** How much of a cursor is seen whose member does not look or has no connection. */
const FAINT = 0.35
/** How much of a ghost is seen, and of the line from it to its cursor. */
const GHOST = 0.85
const THREAD = 0.4

interface Drawn {
  readonly id: number
  name: string
  hue: number
  isBot: boolean
  look: Look
  alpha: number
}

/** Whose a cursor is, for the eye. */
export interface Dress {
  readonly name: string
  /** In degrees. */
  readonly hue: number
  readonly isBot: boolean
  /** Whether the member looks; a cursor is faint otherwise. */
  readonly isHere: boolean
}

/** The cursors on the board. */
export class CursorLayer {
  readonly #board: Board
  readonly #canvas = byId<HTMLCanvasElement>('cursors')
  readonly #context = this.#canvas.getContext('2d') as CanvasRenderingContext2D
  readonly #looks = new Looks()
  readonly #byId = new Map<number, Drawn>()
  #drawn: Drawn[] = []
  #own: Place | undefined
  #frame = 0
  #drawnAt = -1
  #cursors!: Cursors
  #ghosts: Cursors | undefined
  #ends: readonly (() => void)[] = []

  constructor(board: Board, cursors: Cursors) {
    this.#board = board
    this.#resize()
    board.onResize(() => this.#resize())
    onTheme(() => this.#dressAnew())
    this.show(cursors)
  }

  /** Draws these cursors from now on, and each one's ghost where others have it, if there are others. */
  show(cursors: Cursors, ghosts?: Cursors): void {
    for (const end of this.#ends) end()
    this.#cursors = cursors
    this.#ghosts = ghosts
    this.#ends = [cursors, ghosts].flatMap((shown) => shown?.onFrame(this.#draw) ?? [])
    this.#wake()
  }

  /** Says how a member's cursor looks. It is shown as soon as it has moved. */
  dress(id: number, { name, hue, isBot, isHere }: Dress): void {
    const look = this.#looks.get(name, hue, isBot)
    const alpha = isHere ? 1 : FAINT
    const known = this.#byId.get(id)
    if (known) {
      Object.assign(known, { name, hue, isBot, look, alpha })
    } else {
      const drawn = { id, name, hue, isBot, look, alpha }
      this.#byId.set(id, drawn)
      this.#drawn.push(drawn)
    }
    this.#wake()
  }

  /** Shows the own cursor at a place, or not at all. */
  showOwn(place: Place | undefined): void {
    if (!place && !this.#own) return
    this.#own = place
    this.#wake()
  }

  /** Takes away the cursors whose ids are not in `ids`, and puts those of people over those of bots. */
  keep(ids: ReadonlySet<number>): void {
    this.#drawn = this.#drawn.filter(({ id }) => ids.has(id) || !this.#byId.delete(id))
    this.#drawn.sort((a, b) => Number(b.isBot) - Number(a.isBot))
    this.#wake()
  }

  #resize(): void {
    const { width, height } = this.#board
    this.#canvas.width = Math.round(width * devicePixelRatio)
    this.#canvas.height = Math.round(height * devicePixelRatio)
    this.#dressAnew()
  }

  #dressAnew(): void {
    this.#looks.clear()
    for (const drawn of this.#drawn) drawn.look = this.#looks.get(drawn.name, drawn.hue, drawn.isBot)
    this.#wake()
  }

  #wake(): void {
    this.#frame ||= requestAnimationFrame(this.#draw)
  }

  /** Bound once, so that a frame makes no function. */
  readonly #draw = (time: number): void => {
    // Cursors and ghosts both say that there is something new in a frame.
    if (time === this.#drawnAt) return
    this.#drawnAt = time
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height)
    for (let at = 0; this.#ghosts && at < this.#drawn.length; at++) {
      const drawn = this.#drawn[at] as Drawn
      const place = this.#placeOf(drawn.id, this.#cursors, time)
      const ghost = this.#placeOf(drawn.id, this.#ghosts, time)
      if (place && ghost && drawn.id !== OWN) this.#drawGhost(drawn, place, ghost)
    }
    for (let at = 0; at < this.#drawn.length; at++) {
      const drawn = this.#drawn[at] as Drawn
      const place = this.#placeOf(drawn.id, this.#cursors, time)
      if (place) this.#drawOne(drawn, place)
    }
  }

  #placeOf(id: number, cursors: Cursors, time: number): Place | undefined {
    if (id === OWN) return this.#own
    return wantsStillness.matches ? cursors.get(id) : cursors.sample(id, time)
  }

  /** A line to the cursor, so that one sees whose ghost it is. */
  #drawGhost({ alpha, look: { ghost, line } }: Drawn, to: Place, from: Place): void {
    const context = this.#context
    context.globalAlpha = alpha * THREAD
    context.strokeStyle = line
    context.lineWidth = 1.5 * devicePixelRatio
    context.beginPath()
    context.moveTo(this.#left(from), this.#top(from))
    context.lineTo(this.#left(to), this.#top(to))
    context.stroke()
    context.globalAlpha = alpha * GHOST
    context.drawImage(ghost, this.#left(from) - devicePixelRatio, this.#top(from) - devicePixelRatio)
  }

  #drawOne({ alpha, isBot, look: { arrow, label } }: Drawn, place: Place): void {
    const { width, height } = this.#canvas
    const scale = devicePixelRatio
    const left = this.#left(place)
    const top = this.#top(place)
    // Labels stay on the board where cursors are at its border.
    const labelLeft = Math.min(left + Math.round(LABEL_X * scale), width - label.width)
    const labelTop = Math.min(top + Math.round(LABEL_Y * scale), height - label.height)
    this.#context.globalAlpha = alpha
    if (!isBot || width >= NARROW * scale) this.#context.drawImage(label, labelLeft, labelTop)
    this.#context.drawImage(arrow, left - scale, top - scale)
  }

  /** Whole device pixels keep the text sharp. */
  #left({ x }: Place): number {
    return Math.round((x / SPACE) * this.#canvas.width)
  }

  #top({ y }: Place): number {
    return Math.round((y / SPACE) * this.#canvas.height)
  }
}
