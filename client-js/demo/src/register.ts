// What members of the demo say to each other, declared once: every room has these types then. They are the demo's
// conventions, and the bots of the server and the terminal client keep to them, too.

/** What a member says of itself. */
export interface Presence {
  /** What others call it. */
  name: string
  /** The hue of its cursor in degrees, 0 to 359. */
  color: number
  /** Whether it is a bot. */
  bot?: boolean
  /** Whether it only looks on, for a page that is a member already: it is nobody. */
  viewer?: boolean
}

/** What happens once. */
export interface Events {
  /** An emoji that rises from the sender's cursor. */
  reaction: { emoji: string }
}

/** A note on the board; its record's id begins with `note-`. */
export interface NoteFields {
  /** What is written on it. */
  text: string
  /** Where its middle is, in the room's space. */
  x: number
  y: number
  /** Its hue in degrees. */
  hue: number
  /** What lies on top: a key of `@hither/client/order`. Those without one lie below. */
  order?: string
}

declare module '@hither/client' {
  interface Register {
    Presence: Presence
    Events: Events
    Record: NoteFields
  }
}
