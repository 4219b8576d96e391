// How cursors look, as bitmaps that are drawn once: text and paths are dear, copies of them are not.

import { colourOf } from './colour.ts'
import { isDark } from './theme.ts'

/** An arrow of a colour, the outline of its ghost, and a label beside it, in device pixels. */
export interface Look {
  readonly arrow: ImageBitmap
  readonly ghost: ImageBitmap
  /** The colour of a line between the two, as CSS. */
  readonly line: string
  readonly label: ImageBitmap
}

const ARROW = new Path2D(
  'M2.6 1.3 15.3 6.5a1 1 0 0 1-.1 1.9l-5.4 1.6-2.4 5.1a1 1 0 0 1-1.9-.2L1.3 2.6A1 1 0 0 1 2.6 1.3Z',
)
const ARROW_SIZE = 18
const LABEL_HEIGHT = 20
const LABEL_PADDING = 7
const FONT = '500 12px ui-sans-serif, system-ui, sans-serif'
/** Names and hues change while they are edited, so what was drawn once is not kept for ever. */
const KEPT_MAX = 600

/** Draws looks for a screen, and remembers them. */
export class Looks {
  readonly #kept = new Map<string, ImageBitmap>()
  #scale = devicePixelRatio

  /** Forgets all: the screen or the theme is another one, and looks have to be asked for anew. */
  clear(): void {
    this.#scale = devicePixelRatio
    this.#kept.clear()
  }

  /** The look of a name and a hue; bots have a quieter one. */
  get(name: string, hue: number, isBot: boolean): Look {
    if (this.#kept.size > KEPT_MAX) this.#kept.clear()
    return {
      arrow: this.#keep(`${hue}`, () => this.#drawArrow(hue)),
      ghost: this.#keep(`ghost ${hue}`, () => this.#drawGhost(hue)),
      line: arrowColour(hue),
      label: this.#keep(`${isBot} ${hue} ${name}`, () => this.#drawLabel(name, hue, isBot)),
    }
  }

  #keep(key: string, draw: () => ImageBitmap): ImageBitmap {
    const bitmap = this.#kept.get(key) ?? draw()
    this.#kept.set(key, bitmap)
    return bitmap
  }

  #drawArrow(hue: number): ImageBitmap {
    const context = this.#context(ARROW_SIZE, ARROW_SIZE)
    context.fillStyle = arrowColour(hue)
    context.strokeStyle = isDark() ? '#0b0d14' : '#fff'
    context.lineWidth = 2
    context.lineJoin = 'round'
    context.stroke(ARROW)
    context.fill(ARROW)
    return context.canvas.transferToImageBitmap()
  }

  #drawGhost(hue: number): ImageBitmap {
    const context = this.#context(ARROW_SIZE, ARROW_SIZE)
    context.strokeStyle = arrowColour(hue)
    context.lineWidth = 1.5
    context.lineJoin = 'round'
    context.setLineDash([2.5, 1.5])
    context.stroke(ARROW)
    return context.canvas.transferToImageBitmap()
  }

  #drawLabel(name: string, hue: number, isBot: boolean): ImageBitmap {
    const measuring = this.#context(1, 1)
    measuring.font = FONT
    const width = Math.ceil(measuring.measureText(name).width) + 2 * LABEL_PADDING
    const context = this.#context(width, LABEL_HEIGHT)
    context.fillStyle = isBot ? colourOf(hue, isDark() ? 0.31 : 0.92, 0.05) : colourOf(hue, 0.515)
    context.beginPath()
    context.roundRect(0, 0, width, LABEL_HEIGHT, [3, 9, 9, 9])
    context.fill()
    context.fillStyle = isBot ? colourOf(hue, isDark() ? 0.83 : 0.43, 0.11) : '#fff'
    context.font = FONT
    context.textBaseline = 'middle'
    context.fillText(name, LABEL_PADDING, LABEL_HEIGHT / 2 + 0.5)
    return context.canvas.transferToImageBitmap()
  }

  #context(width: number, height: number): OffscreenCanvasRenderingContext2D {
    const canvas = new OffscreenCanvas(Math.ceil(width * this.#scale), Math.ceil(height * this.#scale))
    const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D
    context.scale(this.#scale, this.#scale)
    return context
  }
}

function arrowColour(hue: number): string {
  return colourOf(hue, isDark() ? 0.65 : 0.58)
}
