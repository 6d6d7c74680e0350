// What the unit view shows of a bed, worked out from its snapshot and the service's time; no markup, so it can be tested.

import { asksFor, goalWords, shown, verdictWords } from "./alerts.js";
import { countdown, inLocalTime, instant, span, timeOfDay } from "./time.js";

/** A window about to close is pointed out from this much time left on, in milliseconds (as the engine notifies it). */
const CLOSING = 10 * 60_000;

/** A window that leaves more time than this is no matter of urgency, and stays on the card. */
const FAR = 24 * 3_600_000;

/**
 * The window of an alert at a time: `text` (what is left), `by` (until when, local time), `closing` (hurry), `over`;
 * null where there is none.
 */
export function windowLeft(window, now) {
  if (!window) return null;
  if (window.state === "extended") return { text: "no limit of time", by: window.reason ?? "", far: true };
  const decideBy = instant(window.decide_by);
  const left = decideBy - now;
  if (window.state === "closed" || left < 0) {
    return { text: "window closed", by: `at ${timeOfDay(decideBy, now)}`, over: true };
  }
  return { text: countdown(left), by: `by ${timeOfDay(decideBy, now)}`, closing: left <= CLOSING, far: left > FAR };
}

/** How the data of a bed are: "live", "stale" or "blind", with a sentence; no data never looks like quiet. */
export function dataState(data, now) {
  const newest = instant(data?.newest_at);
  const when = newest === null ? "never" : `${timeOfDay(newest, now)}, ${span(now - newest)} ago`;
  const age = newest === null ? "none" : span(now - newest);
  if (data?.doubted) return { state: "blind", text: "nobody can tell how old the data are", age: "not known" };
  if (!data || data.blind || newest === null) return { state: "blind", text: `last data ${when}`, age };
  if (data.stale) return { state: "stale", text: list(data.stale_signals), age };
  return { state: "live", text: "", age };
}

/** What a bed without an open alert says: only with current data is that worth something. */
const SILENCE = {
  live: "No open alert",
  stale: "No open alert, but data are missing",
  blind: "Cannot tell",
  lost: "Not known: feed lost",
};

/** Everything that a tile of the unit view says; `lost` is whether the feed is. */
export function tile(bed, now, { changed = {}, lost = false } = {}) {
  const alerts = shown(bed.alerts);
  const [first] = alerts;
  const data = dataState(bed.data, now);
  const window = windowLeft(alerts.find((alert) => near(alert, now))?.window, now);
  const pathways = bed.pathways.map((pathway) => ({
    key: pathway.pathway,
    stage: pathway.stage ?? "–",
    title: pathway.stage_title ?? pathway.title,
    verdict: verdictWords(pathway),
    strong: !pathway.suppressed && STRONG.has(pathway.state),
  }));
  const model = {
    patient: bed.patient,
    name: bed.bed ?? bed.patient,
    age: typeof bed.age_years === "number" ? `${Math.floor(bed.age_years)} y` : "age not known",
    goals: goalWords(bed.goals_of_care),
    limited: bed.goals_of_care !== "full",
    data,
    silence: SILENCE[lost ? "lost" : data.state],
    pathways,
    window,
    alert: first
      ? {
          id: first.id,
          priority: first.priority,
          state: first.state,
          headline: inLocalTime(first.headline, now),
          asks: asksFor({ ...first, headline: inLocalTime(first.headline, now) }),
          asked: first.asked ? first.asked.replaceAll("_", " ") : "",
          since: span(now - instant(first.raised_at)),
          others: alerts.slice(1).map((other) => ({
            priority: other.priority,
            headline: inLocalTime(other.headline, now),
          })),
          fresh: alerts.some((alert) => alert.id in changed),
        }
      : null,
  };
  return { ...model, label: label(model) };
}

const STRONG = new Set(["CONFIRMED", "SUSPECTED", "PSEUDO", "INDETERMINATE"]);

const near = (alert, now) => {
  const left = windowLeft(alert.window, now);
  return left !== null && !left.far && !(left.over && alert.state === "accepted");
};

/** What a screen reader says of a tile, most urgent first. */
function label({ name, alert, data, silence, window, pathways, goals }) {
  const parts = [name];
  if (data.state === "blind") parts.push(`no data, ${data.text}`);
  if (alert) {
    parts.push(`${alert.priority.toLowerCase()} priority, ${alert.state}: ${alert.headline}`);
    if (alert.others.length) parts.push(`${alert.others.length} more`);
  } else {
    parts.push(silence);
  }
  if (window) parts.push(window.over ? window.text : `${window.text} left, ${window.by}`);
  if (data.state === "stale") parts.push(`stale: ${data.text}`);
  parts.push(...pathways.map((pathway) => `${pathway.title} ${pathway.verdict}`), goals);
  return parts.join(". ");
}

function list(names = []) {
  if (names.length === 0) return "some signals too old";
  const plain = names.map((name) => name.replaceAll("_", " ")).join("; ");
  return `${names.length === 1 ? "too old" : `${names.length} too old`}: ${plain}`;
}

/** How many beds share the screen: the name of the grid that fits them. */
export function density(count) {
  if (count <= 12) return "roomy";
  if (count <= 20) return "normal";
  return count <= 30 ? "dense" : "full";
}
