/**
 * Filters on metadata, in the JSON of the service: `{"label": {"in": ["cat", "dog"]}}`. The page
 * makes one condition for each field; what else an address holds is kept as it is.
 *
 * @typedef {string|number|boolean} Scalar
 */


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

function conditionOf(filter, field) {
  return typeof filter === "object" ? filter?.[field] : undefined;
}
