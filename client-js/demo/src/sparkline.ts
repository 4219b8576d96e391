// A line of the newest values, drawn small: how they go, not what they are.

/** Values that are shown. */
const SHOWN = 90
/** The least that the height stands for: below it a calm line stays low and calm. */
const TOP_MIN = 20

/** A sparkline on a canvas, in the canvas' own CSS colour. */
export class Sparkline {
  readonly #canvas: HTMLCanvasElement
  readonly #values: number[] = []

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas
    new ResizeObserver(() => this.draw()).observe(canvas)
  }

  /** Adds a value. */
  push(value: number): void {
    this.#values.push(value)
    if (this.#values.length > SHOWN) this.#values.shift()
  }

  /** The value that a share of those shown, from 0 to 1, are not above; NaN if there are none. */
  at(share: number): number {
    const sorted = this.#values.toSorted((a, b) => a - b)
    return sorted[Math.ceil((sorted.length - 1) * share)] ?? NaN
  }

  /** Draws what there is. */
  draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    const context = this.#canvas.getContext('2d') as CanvasRenderingContext2D
    this.#canvas.width = width * devicePixelRatio
    this.#canvas.height = height * devicePixelRatio
    context.scale(devicePixelRatio, devicePixelRatio)
    if (!this.#values.length) return

    const top = Math.max(...this.#values, TOP_MIN) * 1.1
    const x = (index: number): number => width - 4 - (this.#values.length - 1 - index) * ((width - 4) / (SHOWN - 1))
    const y = (value: number): number => height - 2 - (value / top) * (height - 6)
    const line = new Path2D()
    this.#values.forEach((value, index) => line.lineTo(x(index), y(value)))
    const area = new Path2D(line)
    const last = this.#values.length - 1
    area.lineTo(x(last), height)
    area.lineTo(x(0), height)

    context.strokeStyle = context.fillStyle = getComputedStyle(this.#canvas).color
    context.lineWidth = 1.5
    context.lineJoin = 'round'
    context.stroke(line)
    context.globalAlpha = 0.12
    context.fill(area)
    context.globalAlpha = 1
    context.beginPath()
    context.arc(x(last), y(this.#values[last] as number), 2.5, 0, 2 * Math.PI)
    context.fill()
  }
}
