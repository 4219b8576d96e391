// A page that its user does not look at: another tab is in front of it, in the same window.

import type { Page } from 'puppeteer-core'

/** Goes to another tab; what it gives comes back. */
export async function hide(page: Page): Promise<() => Promise<void>> {
  // A new tab comes to be in the window that is in front.
  await page.bringToFront()
  const other = await page.browserContext().newPage()
  await other.bringToFront()
  return async () => {
    await page.bringToFront()
    await other.close()
  }
}
