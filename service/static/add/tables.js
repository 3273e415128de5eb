/** Tables of captions: CSV with any of the usual separators, and a JSON object a line. */

const SEPARATORS = [",", "\t", ";", "|"];

/**
 * Read a table with a header line.
 *
 * @param {string} text
 * @returns {Object<string, string>[]} a row as an object by column
 */
export function readTable(text) {
  const clean = text.replace(/^\ufeff/, "");
  const header = clean.slice(0, clean.search(/[\r\n]|$/));
  const counts = SEPARATORS.map((sign) => header.split(sign).length);
  const separator = SEPARATORS[counts.indexOf(Math.max(...counts))];
  const [names = [], ...rows] = cells(clean, separator);
  return rows.map((row) => Object.fromEntries(names.map((name, place) => [name.trim(), row[place] ?? ""])));
}

/**
 * Read an object a line.
 *
 * @param {string} text
 * @returns {object[]}
 * @throws {SyntaxError} a line that is no JSON
 */
export function readLines(text) {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/).filter((line) => line.trim());
  return lines.map((line) => JSON.parse(line));
}

function cells(text, separator) {
  const rows = [[]];
  const sign = separator === "|" ? "\\|" : separator;
  // A cell in quotes, with its doubled quotes, or a plain one; then what ends it.
  const cell = new RegExp(`("(?:[^"]|"")*"|(?!")[^${sign}\\r\\n]*)(${sign}|\\r?\\n|\\r|$)`, "gy");
  while (cell.lastIndex < text.length) {
    const [, value, end] = cell.exec(text) ?? [];
    if (value === undefined) throw new SyntaxError(`row ${rows.length}: a quotation mark is not closed`);
    const plain = value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value;
    rows.at(-1).push(plain.trim());
    if (end && end !== separator) rows.push([]);
  }
  return rows.filter((row) => row.some(Boolean));
}
