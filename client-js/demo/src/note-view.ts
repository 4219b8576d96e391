// One note on the screen: a text field under a row of buttons, which show when the note is looked at. It knows nothing
// of rooms; what the user does to it goes to its owner.

import type { Board } from './board.ts'
import { movedCaret } from './caret.ts'
import { setHue } from './colour.ts'
import { make } from './dom.ts'
import { steps } from './hand.ts'
import { icon } from './icon.ts'
import { makeDraggable } from './note-drag.ts'
import { type Note, TEXT_MAX, titleOf } from './note-fields.ts'
import { togglePalette } from './note-palette.ts'
import { type Place, within } from './space.ts'

/** What the user does to a note. */
export interface NoteOwner {
  /** It is moved; what follows until `handleMoved` is one move. */
  handleMove(place: Place): void
  handleMoved(): void
  /** It is written on, and this is what it says now. */
  handleText(text: string): void
  /** The caret is somewhere else. */
  handleTextEnd(): void
  handleHue(hue: number): void
  /** It is to go. */
  handleRemove(): void
}

/** A note on the board. */
export class NoteView {
  readonly element: HTMLElement = make('article', 'note')
  readonly #owner: NoteOwner
  readonly #text = make('textarea', 'note-text')
  readonly #stopDrag: () => void
  #shown: Note = { text: '', x: NaN, y: NaN, hue: NaN, order: '' }
  /** Whether the user moves it: then it is where the user has it, whatever comes. */
  #isHeld = false
  /** Whether the user writes what is not said yet: the same for its text. */
  isDirty = false
  #isComposing = false

  constructor(board: Board, owner: NoteOwner) {
    this.#owner = owner
    const { element } = this
    element.tabIndex = 0
    element.role = 'group'
    element.setAttribute('aria-describedby', 'note-help')
    this.#text.maxLength = TEXT_MAX
    this.#text.rows = 2
    this.#text.placeholder = 'Write…'
    this.#text.ariaLabel = 'Note'
    const head = make('div', 'note-head')
    const grip = make('span', 'note-grip')
    grip.append(icon('M7 10h.01M12 10h.01M17 10h.01M7 15h.01M12 15h.01M17 15h.01'))
    const colour = button('note-colour', 'Note’s colour')
    colour.ariaExpanded = 'false'
    const remove = button('note-remove', 'Remove note', 'm8 8 8 8M16 8l-8 8')
    head.append(grip, colour, remove)
    element.append(head, this.#text, make('span', 'note-mark', 'not saved yet'))

    colour.addEventListener('click', () => togglePalette(colour, this.#shown.hue, (hue) => owner.handleHue(hue)))
    remove.addEventListener('click', () => owner.handleRemove())
    this.#listenToText()
    this.#listenToKeys()
    this.#stopDrag = makeDraggable(element, board, {
      isOff: (target) => target === this.#text || !!target.closest('button, .palette'),
      handleStart: () => {
        element.focus({ preventScroll: true })
        element.classList.add('held')
      },
      handleMove: (place) => this.#moveTo(place),
      handleEnd: () => {
        element.classList.remove('held')
        this.#release()
      },
      handleClick: () => this.focusText(),
    })
  }

  /** Shows what the record says. */
  render(note: Note): void {
    const was = this.#shown
    const { text, hue } = note
    const { x, y } = this.#isHeld ? was : note
    this.#shown = { ...note, x, y }
    this.#place(x, y)
    if (hue !== was.hue) setHue(this.element, hue)
    if (!this.isDirty && !this.#isComposing) this.#write(text)
  }

  /** Shows how many notes are below it. */
  layer(below: number): void {
    this.element.style.setProperty('--z', `${below}`)
  }

  /** Shows whether the user's edits of it are not durable yet. */
  mark(isUnsaved: boolean): void {
    this.element.classList.toggle('unsaved', isUnsaved)
  }

  /** Puts the caret into it. */
  focusText(): void {
    this.#text.focus({ preventScroll: true })
  }

  /** It is gone. */
  remove(): void {
    this.#stopDrag()
    this.element.remove()
  }

  #place(x: number, y: number): void {
    const { style } = this.element
    style.setProperty('--x', `${x}`)
    style.setProperty('--y', `${y}`)
  }

  #write(text: string): void {
    const { value, selectionStart, selectionEnd } = this.#text
    const title = titleOf(text)
    const label = title ? `Note: ${title}` : 'Empty note'
    if (this.element.ariaLabel !== label) this.element.ariaLabel = label
    if (value === text) return
    const isFocused = document.activeElement === this.#text
    this.#text.value = text
    if (isFocused)
      this.#text.setSelectionRange(movedCaret(selectionStart, value, text), movedCaret(selectionEnd, value, text))
  }

  #release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#owner.handleMoved()
  }

  #moveTo(place: Place): void {
    this.#isHeld = true
    this.#shown = { ...this.#shown, ...place }
    this.#place(place.x, place.y)
    this.#owner.handleMove(place)
  }

  #listenToText(): void {
    const text = this.#text
    text.addEventListener('input', () => this.#owner.handleText(text.value))
    text.addEventListener('blur', () => this.#owner.handleTextEnd())
    text.addEventListener('compositionstart', () => (this.#isComposing = true))
    text.addEventListener('compositionend', () => (this.#isComposing = false))
    text.addEventListener('keydown', ({ key, isComposing }) => {
      if (key === 'Escape' && !isComposing) this.element.focus()
    })
  }

  #listenToKeys(): void {
    const { element } = this
    element.addEventListener('keydown', (event) => {
      if (event.target !== element || event.ctrlKey || event.metaKey || event.altKey) return
      const way = steps(event)
      if (way) this.#moveTo({ x: within(this.#shown.x + way.x), y: within(this.#shown.y + way.y) })
      else if (event.key === 'Enter') this.focusText()
      else if (event.key === 'Delete' || event.key === 'Backspace') this.#owner.handleRemove()
      else return
      event.preventDefault()
    })
    // A key that is held makes one move.
    element.addEventListener('keyup', () => this.#release())
    element.addEventListener('blur', () => this.#release())
  }
}

function button(className: string, label: string, path?: string): HTMLButtonElement {
  const element = make('button', className)
  element.type = 'button'
  element.ariaLabel = element.title = label
  if (path) element.append(icon(path))
  return element
}
