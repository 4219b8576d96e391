// The panel on narrow screens: a sheet that shows its first line, and all of itself when asked. On wide ones the style
// sheet shows all of it always.

import { byId } from './dom.ts'

/** Lets the user open and close the sheet. */
export function startPanel(): void {
  const panel = byId('panel')
  const button = byId<HTMLButtonElement>('panel-open')
  const content = byId('panel-content')
  const isNarrow = matchMedia('(max-width: 820px)')
  let isOpen = false
  const show = (): void => {
    panel.classList.toggle('open', isOpen)
    button.ariaExpanded = `${isOpen}`
    content.inert = isNarrow.matches && !isOpen
  }
  const toggle = (open: boolean): void => {
    isOpen = open
    show()
  }
  show()
  isNarrow.addEventListener('change', show)
  button.addEventListener('click', () => toggle(!isOpen))
  panel.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape' || !isOpen || !isNarrow.matches) return
    toggle(false)
    button.focus()
  })
  byId('board').addEventListener('pointerdown', () => isOpen && toggle(false))
}
