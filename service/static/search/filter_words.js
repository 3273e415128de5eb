/** Filters in words, for the chips: one part for each condition, joint ones as a whole. */

const OPERATORS = { eq: "=", gt: ">", gte: "\u2265", lt: "<", lte: "\u2264", ne: "\u2260" };
const MOST_VALUES_IN_WORDS = 3;
const JOINTS = ["and", "or", "not"];

/**
 * Return the conditions of a filter in words.
 *
 * @param {object|string|null} filter
 * @returns {{field: string, text: string, isJoint: boolean}[]} `isJoint` where the condition joins
 *   others; its field is then `and`, `or` or `not`
 */
export function filterParts(filter) {
  if (filter === null) return [];
  if (typeof filter === "string") return [{ field: "", text: filter, isJoint: false }];
  return Object.entries(filter).map(([field, condition]) => {
    const isJoint = JOINTS.includes(field);
    const text = isJoint ? jointText(field, condition) : fieldText(field, condition);
    return { field, text, isJoint };
  });
}

function jointText(joint, condition) {
  if (joint === "not") return `not ${innerText(condition)}`;
  if (!Array.isArray(condition)) return `${joint} ${JSON.stringify(condition)}`;
  return condition.map(innerText).join(` ${joint} `);
}

function innerText(filter) {
  if (typeof filter !== "object" || filter === null) return JSON.stringify(filter);
  const parts = filterParts(filter);
  const text = parts.map((part) => (part.isJoint ? part.text : `${part.field} ${part.text}`));
  const isPlain = parts.length === 1 && (!parts[0].isJoint || parts[0].field === "not");
  return isPlain ? text[0] : `(${text.join(" and ")})`;
}

function fieldText(field, condition) {
  // Many pictures by their ids, as the view Add links to them.
  const isChoice = field === "@id" && condition?.in?.length > MOST_VALUES_IN_WORDS;
  return isChoice ? `${condition.in.length} chosen pictures` : conditionText(condition);
}

function conditionText(condition) {
  if (typeof condition !== "object" || condition === null) return String(condition);
  if (Array.isArray(condition.in)) return listText(condition.in);
  if (typeof condition.prefix === "string") return `${condition.prefix}\u2026`;
  if (condition.exists !== undefined) return condition.exists ? "is there" : "is missing";
  const parts = Object.entries(condition);
  if (parts.some(([operator]) => !OPERATORS[operator])) return JSON.stringify(condition);
  return parts.map(([operator, value]) => `${OPERATORS[operator]} ${value}`).join(", ");
}

function listText(values) {
  if (values.length <= MOST_VALUES_IN_WORDS + 1) return values.join(" or ");
  const rest = values.length - MOST_VALUES_IN_WORDS;
  return `${values.slice(0, MOST_VALUES_IN_WORDS).join(" or ")} or ${rest} more`;
}
