// The colours that a note may have, under the button that asks for them. There is one palette, and it is where it was
// opened last.

import { setHue } from './colour.ts'
import { make } from './dom.ts'

const HUES: readonly (readonly [hue: number, name: string])[] = [
  [52, 'Yellow'],
  [24, 'Orange'],
  [345, 'Pink'],
  [275, 'Purple'],
  [215, 'Blue'],
  [150, 'Green'],
]

const nothing = (): void => {}
let closeOpen = nothing

/** Shows the palette behind a button, or closes it if it is there. */
export function togglePalette(button: HTMLButtonElement, hue: number, pick: (hue: number) => void): void {
  const wasOpen = button.ariaExpanded === 'true'
  closeOpen()
  if (wasOpen) return
  const palette = make('div', 'palette')
  palette.role = 'group'
  palette.ariaLabel = 'Colours'
  const swatches = HUES.map(([value, name]) => {
    const swatch = make('button', 'palette-swatch')
    swatch.type = 'button'
    swatch.ariaLabel = name
    swatch.ariaPressed = `${value === hue}`
    setHue(swatch, value)
    swatch.addEventListener('click', () => {
      pick(value)
      closeOpen()
      button.focus()
    })
    return swatch
  })
  palette.append(...swatches)
  palette.addEventListener('keydown', (event) => {
    event.stopPropagation()
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    const at = swatches.indexOf(document.activeElement as HTMLButtonElement)
    if (way) swatches.at((at + way) % swatches.length)?.focus()
    else if (event.key === 'Escape') {
      closeOpen()
      button.focus()
    } else return
    event.preventDefault()
  })
  palette.addEventListener('focusout', ({ relatedTarget }) => {
    if (!palette.contains(relatedTarget as Node | null) && relatedTarget !== button) closeOpen()
  })
  closeOpen = () => {
    // It loses the focus when it goes, which is no reason to close it again.
    closeOpen = nothing
    button.ariaExpanded = 'false'
    palette.remove()
  }
  button.ariaExpanded = 'true'
  button.after(palette)
  ;(swatches.find(({ ariaPressed }) => ariaPressed === 'true') ?? swatches[0])?.focus()
}
