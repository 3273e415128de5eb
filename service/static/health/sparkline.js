/** A small line of the last minutes. It is decoration: the number beside it says the same. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 32;
const LEAST_POINTS = 2;

/** A line in a place of the page. */
export class Sparkline {
  /** @param {Element} place */
  constructor(place) {
    this.line = document.createElementNS(SVG, "polyline");
    this.area = document.createElementNS(SVG, "polygon");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "spark");
    svg.append(this.area, this.line);
    place.append(svg);
  }

  /** @param {number[]} values the oldest first */
  show(values) {
    const points = linePoints(values);
    this.line.setAttribute("points", points.join(" "));
    const ends = points.length ? [`${WIDTH},${HEIGHT}`, `0,${HEIGHT}`] : [];
    this.area.setAttribute("points", [...points, ...ends].join(" "));
  }
}

function linePoints(values) {
  if (values.length < LEAST_POINTS) return [];
  const most = Math.max(...values, Number.MIN_VALUE);
  return values.map((value, place) => {
    const x = (place / (values.length - 1)) * WIDTH;
    const y = HEIGHT - 2 - (Math.max(0, value) / most) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
}
