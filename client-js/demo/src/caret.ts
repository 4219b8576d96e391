// Where the caret goes when somebody else changes the text that it is in: it stays with what is around it.

/** The place in `after` that was at `place` in `before`. */
export function movedCaret(place: number, before: string, after: string): number {
  const shorter = Math.min(before.length, after.length)
  let same = 0
  while (same < shorter && before[same] === after[same]) same++
  if (place <= same) return place
  let sameAtEnd = 0
  while (sameAtEnd < shorter - same && before.at(-1 - sameAtEnd) === after.at(-1 - sameAtEnd)) sameAtEnd++
  // Within what has changed, it goes to the end of that.
  return after.length - Math.min(before.length - place, sameAtEnd)
}
