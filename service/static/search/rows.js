/**
 * Rows of equal height, in the order of the ranking: pure geometry, no element of the page.
 *
 * The ratios (width over height) of all pictures are known before one is drawn, so that every
 * place is known too, and only what is in sight has to exist.
 *
 * @typedef {{start: number, end: number, top: number, height: number}} Row
 *   pictures `start` to `end - 1`; `top` and `height` (of the pictures) in CSS pixels
 * @typedef {{width: number, target: number, gap: number, below: number, line: number}} Measures
 *   in CSS pixels: of the list, the height that rows come near to, between pictures, under the
 *   pictures of a row, and above the row where the cut-off line stands
 */

const SCORE_PX = 30;
const LINE_PX = 46;

/**
 * Return the height that rows come near to.
 *
 * @param {number} width of the window
 * @returns {number} low enough on a phone for two pictures side by side
 */
export function rowTarget(width) {
  return Math.min(260, Math.max(112, 78 + 0.085 * width));
}

/**
 * Return the longer side of a picture of the list.
 *
 * @param {number} ratio width over height
 * @returns {number} about, in CSS pixels
 */
export function tileSide(ratio) {
  return rowTarget(window.innerWidth) * Math.max(1, ratio);
}

/**
 * Return the measures of a list.
 *
 * @param {number} width of the list
 * @param {boolean} hasScores whether a line of text stands under each picture
 * @returns {Measures}
 */
export function measures(width, hasScores) {
  const gap = Math.round(Math.min(12, Math.max(6, width / 130)));
  const below = hasScores ? SCORE_PX + gap / 2 : gap;
  return { width, target: rowTarget(width), gap, below, line: LINE_PX };
}

/**
 * Cut a list into rows that fill the width.
 *
 * @param {number[]} ratios
 * @param {Measures} measures
 * @param {{breakAt?: number, isComplete: boolean}} options a new row begins at `breakAt` (-1:
 *   nowhere); the last row is left out where more pictures are to come that may fill it
 * @returns {Row[]}
 */
export function layRows(ratios, { width, target, gap, below, line }, { breakAt = -1, isComplete }) {
  const rows = [];
  let top = 0;
  let start = 0;
  let sum = 0;
  const close = (end, ratioSum, isFull) => {
    const fitting = (width - gap * (end - start - 1)) / ratioSum;
    const height = isFull ? fitting : Math.min(fitting, target);
    if (start === breakAt) top += line;
    rows.push({ start, end, top, height });
    top += height + below;
    start = end;
  };
  for (let place = 0; place < ratios.length; place += 1) {
    if (place === breakAt && place > start) {
      close(place, sum, false);
      sum = 0;
    }
    const heightWith = (width - gap * (place - start)) / (sum + ratios[place]);
    const heightWithout = (width - gap * (place - start - 1)) / sum;
    if (sum > 0 && heightWith < target && heightWithout / target < target / heightWith) {
      close(place, sum, true);
      sum = 0;
    }
    sum += ratios[place];
    if (sum * target + gap * (place - start) >= width) {
      close(place + 1, sum, true);
      sum = 0;
    }
  }
  if (isComplete && start < ratios.length) close(ratios.length, sum, false);
  return rows;
}

/**
 * Return the number of the row at a height, or of the nearest one.
 *
 * @param {Row[]} rows at least one
 * @param {number} y from the top of the list, in CSS pixels
 * @returns {number}
 */
export function rowAt(rows, y) {
  return lastWhere(rows, (row) => row.top <= y);
}

/**
 * Return the number of the row that holds a picture.
 *
 * @param {Row[]} rows at least one
 * @param {number} place
 * @returns {number}
 */
export function rowOf(rows, place) {
  return lastWhere(rows, (row) => row.start <= place);
}

/**
 * Return where the pictures of a row begin and how wide they are.
 *
 * @param {Row} row
 * @param {number[]} ratios of the whole list
 * @param {number} gap
 * @returns {{start: number, width: number}[]} from the edge where the line of reading begins
 */
export function boxesOf(row, ratios, gap) {
  let start = 0;
  return ratios.slice(row.start, row.end).map((ratio) => {
    const box = { start, width: ratio * row.height };
    start += box.width + gap;
    return box;
  });
}

/**
 * Return the picture of another row that stands nearest above or below one.
 *
 * @param {Row[]} rows
 * @param {number[]} ratios
 * @param {number} place
 * @param {-1|1} step up or down
 * @param {number} gap
 * @returns {number|null} `null` where there is no such row
 */
export function placeBeyond(rows, ratios, place, step, gap) {
  const here = rowOf(rows, place);
  const there = rows[here + step];
  if (!there) return null;
  const middle = ({ start, width }) => start + width / 2;
  const from = middle(boxesOf(rows[here], ratios, gap)[place - rows[here].start]);
  const away = boxesOf(there, ratios, gap).map((box) => Math.abs(middle(box) - from));
  return there.start + away.indexOf(Math.min(...away));
}

function lastWhere(rows, holds) {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(rows[middle])) low = middle;
    else high = middle - 1;
  }
  return low;
}
