/** The files that a drop, a paste or a dialog brings, folders walked through. */

/** Names of pictures; of a folder nothing else is sent, as with `sightline add`. */
const PICTURE = /\.(jpe?g|png|webp|gif|bmp|avif|tiff?)$/i;
const BESIDE = /\.(txt|json|csv|tsv|jsonl|ndjson)$/i;

/**
 * @typedef {{path: string, file: File, isOfFolder: boolean}} Found `path` is relative, with slashes
 */

/**
 * Return what a drop holds. It must be called while the event lasts: the browser forgets after it.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Found[]>}
 */
export async function filesOfDrop(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const found = [];
  for (const { entry, file } of dropped) {
    if (entry?.isDirectory) found.push(...(await filesBelow(entry)));
    else if (file) found.push({ path: file.name, file, isOfFolder: false });
  }
  return found;
}

/**
 * Return what a dialog for files or for a folder gave.
 *
 * @param {File[]} files
 * @returns {Found[]}
 */
export function filesOfDialog(files) {
  return files.map((file) => {
    const path = file.webkitRelativePath || file.name;
    return { path, file, isOfFolder: Boolean(file.webkitRelativePath) };
  });
}

/**
 * Tell pictures from the files that say something of them, and from those that are left alone.
 *
 * @param {Found[]} found
 * @returns {{pictures: Found[], beside: Found[], leftAlone: number}}
 */
export function sortFiles(found) {
  const visible = found.filter(({ path }) => !path.split("/").some((name) => name.startsWith(".")));
  const beside = visible.filter(({ path }) => BESIDE.test(path));
  const others = visible.filter(({ path }) => !BESIDE.test(path));
  // What was chosen by itself is sent whatever its name says: the service judges by the content.
  const pictures = others.filter(({ path, isOfFolder }) => !isOfFolder || PICTURE.test(path));
  pictures.sort((one, other) => (one.path < other.path ? -1 : 1));
  return { pictures, beside, leftAlone: found.length - pictures.length - beside.length };
}

async function filesBelow(folder) {
  const found = [];
  for (const entry of await entriesOf(folder)) {
    if (entry.isDirectory) found.push(...(await filesBelow(entry)));
    else found.push({ path: entry.fullPath.slice(1), file: await fileOf(entry), isOfFolder: true });
  }
  return found.filter(({ file }) => file);
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    // It gives at most a hundred at a time, and nothing at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

function fileOf(entry) {
  return new Promise((resolve) => entry.file(resolve, () => resolve(null)));
}
