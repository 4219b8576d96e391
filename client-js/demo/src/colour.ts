// The colours of people: hues are those of HSL, as most programs mean them; lightness and chroma are those of OKLCH, so
// that white text reads equally well on all of them.

/** The colour of a hue in a lightness from 0 to 1 and a chroma from 0 to about 0.3, as CSS. */
export function colourOf(hue: number, lightness: number, chroma = 0.17): string {
  return `oklch(from hsl(${hue} 80% 50%) ${lightness} ${chroma} h)`
}

/** Gives an element its hue; the style sheet makes colours of it. */
export function setHue(element: HTMLElement | SVGElement, hue: number): void {
  element.style.setProperty('--hue', `${hue}`)
}
