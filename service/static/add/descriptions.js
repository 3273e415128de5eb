/**
 * What is said of pictures besides their pixels: captions from files beside them or from their
 * names, the folder as label, and fields for all. The rules are those of `sightline add`.
 */

import { readLines, readTable } from "./tables.js";

const IMAGE_COLUMNS = [
  "image", "filepath", "path", "file", "filename", "image_path", "file_path", "image_file",
  "file_name", "image_name", "image_filename", "img", "img_path", "picture", "local_path",
];
const CAPTION_COLUMNS = [
  "caption", "captions", "text", "texts", "title", "txt", "sentence", "sentences", "raw",
  "comment", "description", "alt_text", "alt",
];
const NO_METADATA = new Set([...IMAGE_COLUMNS, ...CAPTION_COLUMNS, "id", "split", "metadata"]);
const NUMBER = /^-?(0|[1-9]\d{0,14})(\.\d{1,12})?$/;

/**
 * Describe pictures.
 *
 * @param {import("./dropped_files.js").Found[]} pictures
 * @param {import("./dropped_files.js").Found[]} beside files that may say something of them
 * @param {{captions: "pairs"|"name"|"none", fields: object}} options
 * @returns {Promise<{described: object[], problems: {path: string, message: string}[]}>} one object
 *   for each picture, and the files beside that could not be read
 */
export async function describe(pictures, beside, { captions, fields }) {
  const { known, problems } = await readBeside(beside);
  const isCaptioned = pictures.some(({ path }) => said(known, path));
  const described = pictures.map((picture) => {
    const own = said(known, picture.path) ?? {};
    const label = isCaptioned ? null : folderLabel(picture);
    const caption = captions === "name" ? nameAsCaption(picture.path) : own.captions?.[0];
    const several = own.captions?.length > 1 ? { captions: own.captions } : {};
    const metadata = { ...several, ...own.metadata, ...(label ? { label } : {}), ...fields };
    return withoutEmpty({ id: own.id, caption: captions === "none" ? null : caption, metadata });
  });
  return { described, problems };
}

/**
 * Read fields for all pictures: `year=2024, place=Rome`.
 *
 * @param {string} text
 * @returns {{fields: object, problem: string|null}}
 */
export function readFields(text) {
  const fields = {};
  for (const part of text.split(",").filter((one) => one.trim())) {
    const place = part.indexOf("=");
    const name = part.slice(0, Math.max(0, place)).trim();
    const value = part.slice(place + 1).trim();
    if (!name || !value) return { fields: {}, problem: `"${part.trim()}" is not name=value` };
    fields[name] = scalar(value);
  }
  return { fields, problem: null };
}

async function readBeside(files) {
  const known = new Map();
  const problems = [];
  for (const { path, file } of files) {
    try {
      const text = await file.text();
      for (const [place, saying] of sayings(path, text)) {
        known.set(place, { ...known.get(place), ...saying });
      }
    } catch (error) {
      problems.push({ path, message: error.message });
    }
  }
  return { known, problems };
}

/** Yield what a file says of which picture: by path without suffix, or by path. */
function* sayings(path, text) {
  const stem = path.replace(/\.[^./]*$/, "");
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  if (/\.txt$/i.test(path)) {
    const captions = text.replace(/^\ufeff/, "").split(/\r?\n/).map((line) => line.trim());
    yield [stem, { captions: captions.filter(Boolean) }];
  } else if (/\.json$/i.test(path)) {
    const value = JSON.parse(text);
    yield [stem, Array.isArray(value) ? { captions: texts(value) } : ofObject(value)];
  } else {
    const rows = /\.(csv|tsv)$/i.test(path) ? readTable(text) : readLines(text);
    for (const row of rows) {
      const named = columnOf(row, IMAGE_COLUMNS);
      if (!named) throw new SyntaxError(`no column for the picture; name it ${IMAGE_COLUMNS[0]}`);
      yield [folder + String(row[named]).replace(/^\.\//, ""), { id: row.id, ...ofObject(row) }];
    }
  }
}

function ofObject(row) {
  const column = columnOf(row, CAPTION_COLUMNS);
  const plain = Object.entries(row).filter(([name, value]) => {
    return !NO_METADATA.has(plainName(name)) && ["string", "number", "boolean"].includes(typeof value);
  });
  const metadata = plain.map(([name, value]) => [name, typeof value === "string" ? scalar(value) : value]);
  return {
    captions: column ? texts(row[column]) : [],
    metadata: { ...Object.fromEntries(metadata.filter(([, value]) => value !== "")), ...row.metadata },
  };
}

function columnOf(row, usual) {
  const names = Object.keys(row);
  for (const name of usual) {
    const found = names.find((one) => plainName(one) === name);
    if (found && row[found]) return found;
  }
  return null;
}

function plainName(name) {
  return name.trim().toLowerCase().replaceAll(/[\s-]+/g, "_");
}

function texts(value) {
  const list = Array.isArray(value) ? value : [value];
  const plain = list.map((one) => (typeof one === "object" ? one?.raw ?? one?.caption ?? one?.text : one));
  return plain.filter((one) => typeof one === "string" && one.trim()).map((one) => one.trim());
}

function said(known, path) {
  return known.get(path) ?? known.get(path.replace(/\.[^./]*$/, ""));
}

function folderLabel({ path, isOfFolder }) {
  const parts = path.split("/");
  // The first is the folder that was given itself.
  return isOfFolder && parts.length > 2 ? parts.at(-2) : null;
}

function nameAsCaption(path) {
  const stem = path.split("/").at(-1).replace(/\.[^.]*$/, "");
  return stem.replaceAll(/[_\s-]+/g, " ").trim();
}

function scalar(text) {
  if (text === "true" || text === "false") return text === "true";
  return NUMBER.test(text) ? Number(text) : text;
}

function withoutEmpty({ id, caption, metadata }) {
  const found = {};
  if (id) found.id = String(id);
  if (caption) found.caption = caption;
  if (Object.keys(metadata).length) found.metadata = metadata;
  return found;
}
