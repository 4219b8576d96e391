// One note on the screen: a text field between a grip and a button. It knows nothing of rooms; what the user does to it
// goes to its owner.

import { type Board, percent, within } from './board.ts'
import { setHue } from './colour.ts'
import { make } from './dom.ts'
import { steps } from './hand.ts'
import type { NoteFields } from './register.ts'

/** What the user does to a note. */
export interface NoteOwner {
  /** It was moved or written on. */
  onChange(patch: Partial<NoteFields>): void
  /** It is to go. */
  onRemove(): void
}

/** The longest text of a note, in UTF-16 units. */
const TEXT_MAX = 280
/** A pointer that goes less far than this, in pixels, was a click. */
const CLICK_REACH = 4

const ICON = 'http://www.w3.org/2000/svg'

/** A note on the board. */
export class NoteView {
  readonly element: HTMLElement = make('article', 'note')
  readonly #board: Board
  readonly #owner: NoteOwner
  readonly #grip = button('note-grip', 'Move note', 'M7 10h.01M12 10h.01M17 10h.01M7 15h.01M12 15h.01M17 15h.01')
  readonly #text = make('textarea', 'note-text')
  readonly #remove = button('note-remove', 'Remove note', 'm8 8 8 8M16 8l-8 8')
  #x = 0
  #y = 0
  /** Whether the user holds it: then it is where the user has it, whatever comes. */
  isHeld = false

  constructor(board: Board, owner: NoteOwner) {
    this.#board = board
    this.#owner = owner
    this.#grip.setAttribute('aria-describedby', 'note-help')
    this.#text.maxLength = TEXT_MAX
    this.#text.rows = 2
    this.#text.placeholder = 'Write…'
    this.#text.ariaLabel = 'Note'
    this.element.append(this.#grip, this.#text, this.#remove)

    this.#text.addEventListener('input', () => owner.onChange({ text: this.#text.value }))
    this.#text.addEventListener('keydown', ({ key }) => key === 'Escape' && this.#grip.focus())
    this.#remove.addEventListener('click', () => owner.onRemove())
    this.#grip.addEventListener('keydown', (event) => this.#handleKey(event))
    this.element.addEventListener('pointerdown', (event) => this.#handlePointerDown(event))
  }

  /** Shows what the record says. */
  render({ text, x, y, hue }: NoteFields): void {
    if (this.#text.value !== text) this.#text.value = text
    this.#place(x, y)
    setHue(this.element, hue)
  }

  /** Puts the caret into it. */
  focusText(): void {
    this.#text.focus()
  }

  #place(x: number, y: number): void {
    this.#x = x
    this.#y = y
    this.element.style.setProperty('--x', percent(x))
    this.element.style.setProperty('--y', percent(y))
  }

  #moveTo(x: number, y: number): void {
    this.#place(within(x), within(y))
    this.#owner.onChange({ x: this.#x, y: this.#y })
  }

  #handleKey(event: KeyboardEvent): void {
    const way = steps(event)
    if (way) this.#moveTo(this.#x + way.x, this.#y + way.y)
    else if (event.key === 'Delete' || event.key === 'Backspace') this.#owner.onRemove()
    else return
    event.preventDefault()
  }

  /** A note is dragged by any part of it that is not being written in; a click puts the caret into it. */
  #handlePointerDown(down: PointerEvent): void {
    const target = down.target as Element
    if (down.button !== 0 || this.#remove.contains(target) || target === document.activeElement) return
    down.preventDefault()
    const start = this.#board.placeOf(down.clientX, down.clientY)
    const from = { x: this.#x, y: this.#y }
    const stopping = new AbortController()
    const { signal } = stopping
    this.element.setPointerCapture(down.pointerId)
    this.element.addEventListener(
      'pointermove',
      (move) => {
        const reach = Math.hypot(move.clientX - down.clientX, move.clientY - down.clientY)
        if (!this.isHeld && reach < CLICK_REACH) return
        this.isHeld = true
        this.element.classList.add('held')
        const now = this.#board.placeOf(move.clientX, move.clientY)
        this.#moveTo(from.x + now.x - start.x, from.y + now.y - start.y)
      },
      { signal },
    )
    const stop = (event: PointerEvent): void => {
      stopping.abort()
      if (!this.isHeld && event.type === 'pointerup') (this.#grip.contains(target) ? this.#grip : this.#text).focus()
      this.isHeld = false
      this.element.classList.remove('held')
    }
    this.element.addEventListener('pointerup', stop, { signal })
    this.element.addEventListener('pointercancel', stop, { signal })
  }
}

function button(className: string, label: string, path: string): HTMLButtonElement {
  const element = make('button', className)
  element.type = 'button'
  element.ariaLabel = label
  const icon = element.appendChild(document.createElementNS(ICON, 'svg'))
  icon.setAttribute('class', 'icon')
  icon.setAttribute('viewBox', '0 0 24 24')
  icon.setAttribute('aria-hidden', 'true')
  icon.appendChild(document.createElementNS(ICON, 'path')).setAttribute('d', path)
  return element
}
