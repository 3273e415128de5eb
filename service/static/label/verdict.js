/** What an answer means in words: the winner, or why no label is given. */

/**
 * @typedef {{label: string|null, text: string, why: string, isRight: boolean|null}} Verdict
 *   `label` is the one that is given; `text` what to show in its place; `isRight` is `null` where
 *   nobody said what the picture shows
 */

/**
 * Judge an answer with the user's own least score, without asking the service again.
 *
 * @param {object} result an entry of `results` that is no error
 * @param {{leastScore: number, calibration: object|null, truth: string|null|undefined}} options
 *   `calibration` holds the fitted rules
 * @returns {Verdict}
 */
export function verdictOf(result, { leastScore, calibration, truth }) {
  const [best] = result.labels;
  const own = best.score < leastScore ? "own_score" : null;
  const rule = result.abstained ? result.reason : own;
  const label = rule ? null : best.label;
  return {
    label,
    text: label ?? (rule === "min_margin" ? "Either of two" : "None of these"),
    why: rule ? reasonInWords(rule, { best, leastScore, calibration }) : "",
    isRight: truth === undefined ? null : truth === label,
  };
}

/**
 * Return a share as a percentage.
 *
 * @param {number} share
 * @returns {string}
 */
export function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 0.1) return "<0.1 %";
  return `${value.toFixed(value < 10 && value > 0 ? 1 : 0)} %`;
}

function reasonInWords(rule, { best, leastScore, calibration }) {
  const fitted = fittedThreshold(rule, calibration);
  const score = percent(best.score);
  const cosine = best.cosine.toFixed(3);
  const reasons = {
    background: `"${best.label}" fits best, and it is a background label`,
    own_score: `the best score, ${score}, is under your least score of ${percent(leastScore)}`,
    min_score: `the best score, ${score}, is under the fitted least score${percentOf(fitted)}`,
    min_cosine: `no label is near enough to the picture: cosine ${cosine}${under(fitted)}`,
    max_energy: "all labels together fit the picture less than they fit known pictures",
    label_score: `"${best.label}" is right too seldom at a score of ${score}`,
    min_margin: "the two best scores are closer than the fitted margin",
  };
  return reasons[rule] ?? rule;
}

function fittedThreshold(rule, calibration) {
  return calibration?.rules.find(({ name }) => name === rule)?.threshold ?? null;
}

function percentOf(threshold) {
  return threshold === null ? "" : ` of ${percent(threshold)}`;
}

function under(threshold) {
  return threshold === null ? "" : `, the fitted least is ${threshold.toFixed(3)}`;
}
