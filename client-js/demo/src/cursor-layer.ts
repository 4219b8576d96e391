// All cursors on one canvas, drawn by one loop that runs only while something moves. Nothing here allocates for a frame
// or for a move: this is the path that two hundred people share.

import type { Board } from './board.ts'
import { type Look, Looks } from './cursor-looks.ts'
import { byId, wantsStillness } from './dom.ts'
import { SPACE } from './register.ts'
import { onTheme } from './theme.ts'

/** How fast a drawn cursor nears the newest position, in milliseconds; ticks are about as far apart. */
const SMOOTHING = 30
/** A cursor this near to its place, in units of the room's space, has arrived. */
const ARRIVED = 0.25
/** Where a label lies from its cursor's tip, in CSS pixels. */
const LABEL_X = 12
const LABEL_Y = 15
/** On a board narrower than this, in CSS pixels, bots have no labels. */
const NARROW = 560
/** How much of a cursor is seen whose member does not look or has no connection. */
const FAINT = 0.35

interface Drawn {
  readonly id: number
  name: string
  hue: number
  isBot: boolean
  look: Look
  alpha: number
  isShown: boolean
  x: number
  y: number
  toX: number
  toY: number
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
  #frame = 0
  #lastTime = 0

  constructor(board: Board) {
    this.#board = board
    this.#resize()
    board.onResize(() => this.#resize())
    onTheme(() => this.#dressAnew())
  }

  /** Says how a member's cursor looks. It is shown from its first move on. */
  dress(id: number, { name, hue, isBot, isHere }: Dress): void {
    const look = this.#looks.get(name, hue, isBot)
    const alpha = isHere ? 1 : FAINT
    const known = this.#byId.get(id)
    if (known) {
      Object.assign(known, { name, hue, isBot, look, alpha })
    } else {
      const drawn = { id, name, hue, isBot, look, alpha, isShown: false, x: 0, y: 0, toX: 0, toY: 0 }
      this.#byId.set(id, drawn)
      this.#drawn.push(drawn)
    }
    this.#wake()
  }

  /** Moves a cursor. */
  move(id: number, x: number, y: number): void {
    const drawn = this.#byId.get(id)
    if (!drawn) return
    drawn.toX = x
    drawn.toY = y
    if (!drawn.isShown || wantsStillness.matches) {
      drawn.x = x
      drawn.y = y
    }
    drawn.isShown = true
    this.#wake()
  }

  /** Hides a cursor until its next move. */
  hide(id: number): void {
    const drawn = this.#byId.get(id)
    if (!drawn?.isShown) return
    drawn.isShown = false
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
    if (this.#frame) return
    this.#lastTime = performance.now()
    this.#frame = requestAnimationFrame(this.#draw)
  }

  /** Bound once, so that a frame makes no function. */
  readonly #draw = (time: number): void => {
    const part = 1 - Math.exp(-Math.max(time - this.#lastTime, 1) / SMOOTHING)
    this.#lastTime = time
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height)
    let isMoving = false
    for (let at = 0; at < this.#drawn.length; at++) {
      const drawn = this.#drawn[at] as Drawn
      if (!drawn.isShown) continue
      if (approach(drawn, part)) isMoving = true
      this.#drawOne(drawn)
    }
    this.#frame = isMoving ? requestAnimationFrame(this.#draw) : 0
  }

  #drawOne({ x, y, alpha, isBot, look: { arrow, label } }: Drawn): void {
    const { width, height } = this.#canvas
    const scale = devicePixelRatio
    // Whole device pixels keep the text sharp; labels stay on the board where cursors are at its border.
    const left = Math.round((x / SPACE) * width)
    const top = Math.round((y / SPACE) * height)
    const labelLeft = Math.min(left + Math.round(LABEL_X * scale), width - label.width)
    const labelTop = Math.min(top + Math.round(LABEL_Y * scale), height - label.height)
    this.#context.globalAlpha = alpha
    if (!isBot || width >= NARROW * scale) this.#context.drawImage(label, labelLeft, labelTop)
    this.#context.drawImage(arrow, left - scale, top - scale)
  }
}

/** Moves a cursor a part of its way; false once it has arrived. */
function approach(drawn: Drawn, part: number): boolean {
  const x = drawn.toX - drawn.x
  const y = drawn.toY - drawn.y
  const isMoving = Math.abs(x) > ARRIVED || Math.abs(y) > ARRIVED
  drawn.x = isMoving ? drawn.x + x * part : drawn.toX
  drawn.y = isMoving ? drawn.y + y * part : drawn.toY
  return isMoving
}
