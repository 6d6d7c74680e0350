// What this screen knows: one plain object, and a pure function from it and what was heard to the next one.

import { SHOWN, sayChange } from "./alerts.js";

/** The feed counts as lost when nothing was heard of it for this long, in milliseconds; heartbeats come every 5 s. */
export const BLIND_AFTER = 15_000;

/** How long a change of an alert is marked as new on screen, in milliseconds of local time. */
export const NEW_FOR = 30_000;

const MOST_MISSES_SAID = 3;

/** How many messages of the feed are remembered, to be put on top of a snapshot that was made before them. */
const MOST_RECENT = 200;

export const initial = (local) => ({
  me: null,
  unit: "",
  loaded: false,
  position: null,
  followed: null,
  recent: [],
  now: null,
  beds: [],
  inputs: [],
  clock: null,
  heardAt: local,
  connected: false,
  bed: null,
  details: {},
  explanations: {},
  past: null,
  trends: null,
  missing: null,
  refused: null,
  only: false,
  changed: {},
  announcements: [],
});

/** Whether the feed is lost at a local time: nothing that is shown can be taken for the present then. */
export const blind = (state, local) => local - state.heardAt > BLIND_AFTER;

/**
 * The next state.
 *
 * `event.type` is one of: "me"; "unit" and "patient" (snapshots); "trends", "explanation", "detail" (what the bed view
 * reads); "past" and "past-explanation" (what was known at an earlier time, `at`; null for now); "feed" (a message of the live feed); "heartbeat"; "link"; "open-bed", "close-bed", "no-bed"; "refused" (the
 * service does not show patients to whoever asks); "only" (other units are not this screen's); "said" (announcements
 * were made). `event.local` is the local time in milliseconds where it matters.
 */
export function reduce(state, event) {
  const next = HANDLERS[event.type];
  return next ? next(state, event) : state;
}

const HANDLERS = {
  me: (state, { me }) => ({ ...state, me }),
  unit: takeUnit,
  patient: takePatient,
  trends: (state, { patient, trends }) => (state.bed?.patient === patient ? { ...state, trends } : state),
  explanation: (state, { patient, pathway, explanation }) =>
    state.bed?.patient === patient
      ? { ...state, explanations: { ...state.explanations, [pathway]: explanation } }
      : state,
  past: (state, { at }) => ({ ...state, past: at === null ? null : { at, explanations: {} } }),
  "past-explanation": (state, { at, pathway, explanation }) =>
    state.past?.at === at
      ? { ...state, past: { at, explanations: { ...state.past.explanations, [pathway]: explanation } } }
      : state,
  detail: (state, { alert }) =>
    state.bed?.patient === alert.patient ? { ...state, details: { ...state.details, [alert.id]: alert } } : state,
  feed: takeFeed,
  heartbeat: (state, { now, local }) => ({ ...state, now, heardAt: local }),
  link: (state, { connected }) => ({ ...state, connected }),
  "open-bed": (state, { patient }) =>
    state.bed?.patient === patient
      ? state
      : { ...state, bed: { patient, snapshot: null }, details: {}, explanations: {}, past: null, trends: null, missing: null },
  "no-bed": (state, { patient, why }) => (state.bed?.patient === patient ? { ...state, missing: why } : state),
  "close-bed": (state) => ({ ...state, bed: null, details: {}, explanations: {}, past: null, trends: null, missing: null }),
  refused: (state, { why }) => ({ ...state, refused: why }),
  only: (state) => ({ ...state, only: true }),
  said: (state) => ({ ...state, announcements: [] }),
};

function takeUnit(state, { unit }) {
  if (state.position !== null && unit.position < state.position) return state;
  return {
    ...state,
    loaded: true,
    refused: null,
    unit: unit.unit ?? "",
    now: unit.now,
    position: unit.position,
    inputs: unit.inputs ?? [],
    clock: unit.clock ?? null,
    followed: state.followed ?? unit.position,
    beds: newerThan(state, unit.position).reduce(bedsWith, unit.patients),
  };
}

/** The messages that came after a snapshot: whoever asks together shares one, which may be older than the feed. */
const newerThan = (state, position) => state.recent.filter(({ id }) => id > position);

function takePatient(state, { patient }) {
  if (state.bed?.patient !== patient.patient) return state;
  const [snapshot] = newerThan(state, patient.position).reduce(bedsWith, [patient]);
  return { ...state, bed: { ...state.bed, snapshot }, missing: null };
}

/**
 * A message of the feed is taken once (`followed` is the last one). A snapshot may have overtaken it (`position`): then
 * it has nothing new for the beds, but is still said.
 */
function takeFeed(state, { id, event, data, local }) {
  if (id !== null && state.followed !== null && id <= state.followed) return { ...state, heardAt: local };
  const heard = { ...state, heardAt: local, followed: id ?? state.followed };
  if (event !== "alert" || !data.summary) return heard;
  const recent = id === null ? heard.recent : [...heard.recent, { id, data }].slice(-MOST_RECENT);
  const told = announce({ ...heard, recent }, data, local);
  return id !== null && state.position !== null && id <= state.position ? told : placeAlert(told, data);
}

function announce(state, change, local) {
  const elsewhere = state.only && !state.beds.some((bed) => bed.patient === change.patient);
  const said = elsewhere ? null : sayChange(change);
  return {
    ...state,
    changed: change.interrupts ? { ...state.changed, [change.summary.id]: local } : state.changed,
    announcements: said ? [...state.announcements, said] : state.announcements,
  };
}

function placeAlert(state, { patient, summary }) {
  const bed = state.bed?.snapshot;
  return {
    ...state,
    beds: bedsWith(state.beds, { data: { patient, summary } }),
    bed: bed?.patient === patient ? { ...state.bed, snapshot: withAlert(bed, summary) } : state.bed,
  };
}

function bedsWith(beds, { data: { patient, summary } }) {
  return beds.map((known) => (known.patient === patient ? withAlert(known, summary) : known));
}

function withAlert(bed, summary) {
  const others = bed.alerts.filter((alert) => alert.id !== summary.id);
  return { ...bed, alerts: SHOWN.has(summary.state) || others.length < bed.alerts.length ? [...others, summary] : others };
}

/** What to say of a batch of announcements of one priority: the last few, and how many more there were. */
export function spoken(announcements) {
  const last = announcements.slice(-MOST_MISSES_SAID).map((one) => one.text);
  const more = announcements.length - last.length;
  return more > 0 ? `${last.join(" ")} And ${more} more.` : last.join(" ");
}
