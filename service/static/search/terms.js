/**
 * The parts of a query, as the page shows them: `a red car -toy 2:vintage +id:a17`.
 *
 * The rules are those of the service (`index/query.py`), which does the real parsing: words
 * without an operator are one part together, wherever they stand; a word with `+`, `-` or a
 * weight and a colon, and a phrase in quotes, is a part of its own.
 *
 * @typedef {{text: string, weight: number, kind: "text"|"id", spans: number[][]}} Part
 *   `spans` say where the part stands in the query
 */

const WEIGHT = /(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}):/y;
const SPACE = /\s/;

/**
 * Cut a query into its parts.
 *
 * @param {string} query
 * @returns {Part[]} the words without operator first; none where the query is not complete yet
 */
export function parseTerms(query) {
  const words = { text: "", weight: 1, kind: "text", spans: [] };
  const terms = [];
  let position = skipSpaces(query, 0);
  while (position < query.length) {
    const word = readWord(query, position);
    if (!word) return [];
    position = skipSpaces(query, word.end);
    const span = [word.start, position];
    if (word.stands) terms.push({ ...word.part, spans: [span] });
    else {
      words.text = `${words.text} ${word.part.text}`.trim();
      words.spans.push(span);
    }
  }
  return words.text ? [words, ...terms] : terms;
}

/**
 * Return the query without one of its parts.
 *
 * @param {string} query
 * @param {Part} term
 * @returns {string}
 */
export function withoutTerm(query, term) {
  let rest = query;
  for (const [start, end] of term.spans.toReversed()) {
    rest = rest.slice(0, start) + rest.slice(end);
  }
  return rest.trim();
}

/**
 * Return the query with one of its parts written anew.
 *
 * @param {string} query
 * @param {Part} term
 * @param {string} text in the query language; empty takes the part out
 * @returns {string}
 */
export function withTermText(query, term, text) {
  const [[start, end]] = term.spans;
  const rest = { ...term, spans: term.spans.slice(1) };
  const before = withoutTerm(query, rest);
  return `${before.slice(0, start)}${text} ${before.slice(end)}`.trim();
}

/**
 * Return a part as it stands in the query.
 *
 * @param {string} query
 * @param {Part} term
 * @returns {string}
 */
export function termText(query, term) {
  return term.spans.map(([start, end]) => query.slice(start, end).trim()).join(" ");
}

/**
 * Return the operator text that means "like this item", or "unlike" with a negative weight.
 *
 * @param {string} id
 * @param {-1|1} sign
 * @returns {string}
 */
export function idTerm(id, sign) {
  const name = /^[^\s"\\]+$/.test(id) ? id : `"${id.replace(/["\\]/g, "\\$&")}"`;
  return `${sign < 0 ? "-" : "+"}id:${name}`;
}

/**
 * Say whether showing the parts tells more than the text itself.
 *
 * @param {Part[]} terms
 * @returns {boolean}
 */
export function areWorthShowing(terms) {
  return terms.length > 1 || terms.some(({ kind, weight }) => kind === "id" || weight !== 1);
}

function readWord(query, start) {
  const sign = { "+": 1, "-": -1 }[query[start]];
  WEIGHT.lastIndex = start + (sign ? 1 : 0);
  const factor = WEIGHT.exec(query);
  const operatorEnd = factor ? WEIGHT.lastIndex : start + (sign ? 1 : 0);
  const isId = query.startsWith("id:", operatorEnd);
  const value = readValue(query, operatorEnd + (isId ? 3 : 0));
  if (!value?.text.trim()) return null;
  const weight = (sign ?? 1) * Number(factor?.[1] ?? 1);
  const part = { text: value.text, weight, kind: isId ? "id" : "text" };
  const stands = Boolean(sign || factor || isId || value.isQuoted);
  return { part, stands, start, end: value.end };
}

function readValue(query, start) {
  const isQuoted = query[start] === '"';
  let position = start + (isQuoted ? 1 : 0);
  let text = "";
  while (position < query.length) {
    const sign = query[position];
    if (sign === "\\" && position + 1 < query.length) position += 1;
    else if (isQuoted ? sign === '"' : SPACE.test(sign)) break;
    text += query[position];
    position += 1;
  }
  if (isQuoted && position === query.length) return null;
  return { text, isQuoted, end: position + (isQuoted ? 1 : 0) };
}

function skipSpaces(query, start) {
  let position = start;
  while (position < query.length && SPACE.test(query[position])) position += 1;
  return position;
}
