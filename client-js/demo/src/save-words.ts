// How the edits stand, in plain words.

/** Whether the edits made here are durable, or how many wait for a connection. */
export function saveWords(pending: number, isConnected: boolean): string {
  if (!pending) return 'Saved'
  return isConnected ? 'Saving…' : `${pending} waiting`
}

/** Why an edit was taken back, as a sentence. */
export function refusalWords({ code, message }: { readonly code: string; readonly message: string }): string {
  return REASONS[code] ?? `An edit was taken back: ${message}.`
}

const REASONS: { readonly [code: string]: string } = {
  forbidden: 'You may look at this room, but not change it.',
  not_found: 'That note was gone already.',
  no_record: 'That note was gone already.',
  conflict: 'Somebody else was first, so that edit was taken back.',
  too_large: 'The board is full: an edit was taken back.',
  rate_limited: 'That was too much at once: an edit was taken back.',
  not_connected: 'Too much waits to be saved: go online first.',
  connection_lost: 'Nobody knows whether an edit was saved: it waited for too long.',
}
