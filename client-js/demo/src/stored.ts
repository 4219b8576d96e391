// What this browser remembers of its user. A browser that remembers nothing, as in a private window, is no error.

/** What was stored under a key. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`hither.${key}`)
  } catch {
    return null
  }
}

/** Stores a value under a key. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`hither.${key}`, value)
  } catch {
    // It holds for this visit, then.
  }
}
