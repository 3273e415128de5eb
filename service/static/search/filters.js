/**
 * Filters on metadata, in the JSON of the service: `{"label": {"in": ["cat", "dog"]}}`. The page
 * makes one condition for each field; what else an address holds is kept as it is.
 *
 * @typedef {string|number|boolean} Scalar
 */

const MOST_VALUES_IN_WORDS = 3;
const OPERATORS = { gt: ">", gte: "\u2265", lt: "<", lte: "\u2264", ne: "\u2260" };

/**
 * Read the filter of an address.
 *
 * @param {string|null} text
 * @returns {object|string|null} the text itself where it is no JSON, so that it is not lost
 */
export function readFilter(text) {
  if (!text) return null;
  try {
    const filter = JSON.parse(text);
    const isObject = typeof filter === "object" && filter !== null && !Array.isArray(filter);
    return isObject && Object.keys(filter).length ? filter : text;
  } catch {
    return text;
  }
}

/**
 * Return a filter as text for an address.
 *
 * @param {object|string} filter
 * @returns {string}
 */
export function filterText(filter) {
  return typeof filter === "string" ? filter : JSON.stringify(filter);
}

/**
 * Return the values of a field that a filter lets through.
 *
 * @param {object|string|null} filter
 * @param {string} field
 * @returns {Scalar[]} empty where the condition is of another kind
 */
export function chosenValues(filter, field) {
  const condition = conditionOf(filter, field);
  if (Array.isArray(condition?.in)) return condition.in;
  return typeof condition === "object" || condition === undefined ? [] : [condition];
}

/**
 * Return a filter with a value of a field let through or not.
 *
 * @param {object|string|null} filter
 * @param {string} field
 * @param {Scalar} value
 * @param {boolean} isChosen
 * @returns {object|null}
 */
export function withValue(filter, field, value, isChosen) {
  const others = chosenValues(filter, field).filter((other) => other !== value);
  const values = isChosen ? [...others, value] : others;
  if (!values.length) return withCondition(filter, field, null);
  return withCondition(filter, field, values.length === 1 ? values[0] : { in: values });
}

/**
 * Return a filter with another condition on a field.
 *
 * @param {object|string|null} filter
 * @param {string} field
 * @param {Scalar|object|null} condition `null`: none
 * @returns {object|null} `null` where nothing is filtered any more
 */
export function withCondition(filter, field, condition) {
  const rest = typeof filter === "object" ? { ...filter } : {};
  delete rest[field];
  if (condition !== null) rest[field] = condition;
  return Object.keys(rest).length ? rest : null;
}

/**
 * Return the conditions of a filter in words.
 *
 * @param {object|string|null} filter
 * @returns {{field: string, text: string}[]}
 */
export function filterParts(filter) {
  if (filter === null) return [];
  if (typeof filter === "string") return [{ field: "", text: filter }];
  return Object.entries(filter).map(([field, condition]) => {
    if (isChoice(field, condition)) return { field, text: `${condition.in.length} chosen pictures` };
    return { field, text: conditionText(condition) };
  });
}

/** Many pictures by their ids, as the view Add links to them. */
function isChoice(field, condition) {
  return field === "@id" && condition?.in?.length > MOST_VALUES_IN_WORDS;
}

function listText(values) {
  if (values.length <= MOST_VALUES_IN_WORDS + 1) return values.join(" or ");
  const rest = values.length - MOST_VALUES_IN_WORDS;
  return `${values.slice(0, MOST_VALUES_IN_WORDS).join(" or ")} or ${rest} more`;
}

function conditionOf(filter, field) {
  return typeof filter === "object" ? filter?.[field] : undefined;
}

function conditionText(condition) {
  if (typeof condition !== "object" || condition === null) return String(condition);
  if (Array.isArray(condition.in)) return listText(condition.in);
  if (typeof condition.prefix === "string") return `${condition.prefix}\u2026`;
  const parts = Object.entries(condition);
  if (parts.some(([operator]) => !OPERATORS[operator])) return JSON.stringify(condition);
  return parts.map(([operator, value]) => `${OPERATORS[operator]} ${value}`).join(", ");
}
