// Icons that scripts draw, in the strokes of those in index.html.

const SVG = 'http://www.w3.org/2000/svg'

/** An icon by its path, for the eye alone. */
export function icon(path: string): SVGElement {
  const element = document.createElementNS(SVG, 'svg')
  element.setAttribute('class', 'icon')
  element.setAttribute('viewBox', '0 0 24 24')
  element.setAttribute('aria-hidden', 'true')
  element.appendChild(document.createElementNS(SVG, 'path')).setAttribute('d', path)
  return element
}
