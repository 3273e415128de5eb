/**
 * The answers of the last minutes, and what happened between two of them. Counters run since the
 * process began, so the newest answer alone tells of that long time.
 *
 * @typedef {{seconds: number, isSinceStart: boolean, rate: (read: Read) => number,
 *   grown: (read: Read) => number, routes: RouteTimes[]}} Period
 * @typedef {(health: object) => number} Read
 * @typedef {{route: string, count: number, seconds: number, buckets: number[]}} RouteTimes
 */

const KEPT_MS = 5 * 60_000;

/** The page's own questions and files (which match no route), and probes: nobody waits for them. */
const QUIET = new Set([
  "/", "unmatched", "/v1/health", "/v1/gallery", "/v1/models", "/v1/session", "/healthz", "/readyz",
  "/metrics",
]);

/** The answers of one process; those of another one make it begin anew. */
export class History {
  constructor() {
    /** By process: behind one port each answer may come from another one. */
    this.byProcess = new Map();
    this.answers = [];
  }

  /** @param {object} health an answer of the service */
  add(health) {
    const { pid, started_ms: started } = health.process;
    const process = `${pid} ${started}`;
    const answers = this.byProcess.get(process) ?? [];
    answers.push(health);
    while (answers[0].now_ms < health.now_ms - KEPT_MS) answers.shift();
    this.byProcess.set(process, answers);
    this.answers = answers;
    for (const [name, others] of this.byProcess) {
      if (others.at(-1).now_ms < health.now_ms - KEPT_MS) this.byProcess.delete(name);
    }
  }

  /** @returns {Period} what happened in the last minutes; since the start where nothing older is known */
  get period() {
    const last = this.answers.at(-1);
    return this.answers.length > 1 ? between(this.answers[0], last) : sinceStart(last);
  }

  /** @returns {Period} what happened since the process began */
  get whole() {
    return sinceStart(this.answers.at(-1));
  }

  /**
   * Return a value for each step between two answers.
   *
   * @param {(period: Period) => number} read
   * @returns {number[]}
   */
  series(read) {
    const later = this.answers.slice(1);
    return later.map((health, place) => read(between(this.answers[place], health)));
  }
}

/**
 * Return the time that a share of the requests took at most, in seconds, by the bounds of a
 * histogram; within a bucket the requests are taken to be spread evenly.
 *
 * @param {number[]} buckets how many took up to each bound; the last has no bound
 * @param {number[]} bounds
 * @param {number} share from 0 to 1
 * @returns {number|null} `null` where there was none
 */
export function percentile(buckets, bounds, share) {
  const total = buckets.at(-1) ?? 0;
  if (!total) return null;
  const rank = share * total;
  const place = buckets.findIndex((count) => count >= rank);
  // Beyond the last bound nothing more is known.
  if (place >= bounds.length) return bounds.at(-1);
  const [below, least] = place ? [buckets[place - 1], bounds[place - 1]] : [0, 0];
  const inside = buckets[place] - below;
  return least + (bounds[place] - least) * (inside ? (rank - below) / inside : 1);
}

/**
 * Add the times of several routes.
 *
 * @param {RouteTimes[]} routes
 * @returns {{count: number, buckets: number[]}}
 */
export function together(routes) {
  const places = [...(routes[0]?.buckets.keys() ?? [])];
  const buckets = places.map((place) => sum(routes.map((one) => one.buckets[place])));
  return { count: sum(routes.map(({ count }) => count)), buckets };
}

/**
 * @param {Object<string, number>} numbers
 * @param {(name: string) => boolean} [isWanted]
 * @returns {number} their sum
 */
export function total(numbers, isWanted = () => true) {
  return sum(Object.entries(numbers).filter(([name]) => isWanted(name)).map(([, number]) => number));
}

function between(first, last) {
  const seconds = Math.max(0.001, (last.now_ms - first.now_ms) / 1000);
  const grown = (read) => read(last) - read(first);
  return {
    seconds,
    isSinceStart: false,
    grown,
    rate: (read) => grown(read) / seconds,
    routes: routesBetween(first.requests.routes, last.requests.routes),
  };
}

function sinceStart(last) {
  const seconds = Math.max(0.001, (last.now_ms - last.process.started_ms) / 1000);
  return {
    seconds,
    isSinceStart: true,
    grown: (read) => read(last),
    rate: (read) => read(last) / seconds,
    routes: routesBetween([], last.requests.routes),
  };
}

function routesBetween(before, after) {
  const known = new Map(before.map((one) => [one.route, one]));
  const found = after.map((one) => {
    const old = known.get(one.route);
    if (!old) return one;
    return {
      route: one.route,
      count: one.count - old.count,
      seconds: one.seconds - old.seconds,
      buckets: one.buckets.map((count, place) => count - old.buckets[place]),
    };
  });
  return found.filter(({ route, count }) => count > 0 && !QUIET.has(route));
}

function sum(numbers) {
  return numbers.reduce((one, other) => one + other, 0);
}
