// Light or dark: the system's wish, until the user says otherwise on this page.

import { byId } from './dom.ts'
import { recall, remember } from './stored.ts'

const dark = matchMedia('(prefers-color-scheme: dark)')

const root = document.documentElement
const listeners: (() => void)[] = []

/** Whether the page is dark. */
export function isDark(): boolean {
  return (root.dataset['theme'] ?? (dark.matches ? 'dark' : 'light')) === 'dark'
}

/** Calls `listener` when the theme has changed. */
export function onTheme(listener: () => void): void {
  listeners.push(listener)
}

/** Puts on the remembered theme, and lets the button change it. */
export function startTheme(): void {
  const button = byId<HTMLButtonElement>('theme')
  const label = button.querySelector('span') as HTMLSpanElement
  const show = (): void => {
    label.textContent = isDark() ? 'Light theme' : 'Dark theme'
    button.title = label.textContent
    for (const listener of listeners) listener()
  }

  const stored = recall('theme')
  if (stored === 'dark' || stored === 'light') root.dataset['theme'] = stored
  show()
  dark.addEventListener('change', show)
  button.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark'
    root.dataset['theme'] = theme
    remember('theme', theme)
    show()
  })
}
