// The page: reads what the service knows, follows its feed, and draws the view that the address names.

import { html, render } from "../vendor/lit-html/lit-html.js";
import { shown } from "./alerts.js";
import * as api from "./api.js";
import { bedView } from "./bed.js";
import { Cards } from "./cards.js";
import { drawAll } from "./chart.js";
import { help, signIn } from "./dialogs.js";
import { Feed } from "./feed.js";
import { banner, notices, topBar } from "./frame.js";
import * as keys from "./keys.js";
import { Soon } from "./loading.js";
import * as login from "./login.js";
import { NEW_FOR, blind, initial, reduce, spoken } from "./state.js";
import * as theme from "./theme.js";
import { ServiceClock, instant } from "./time.js";
import { bedAddress, unitView } from "./unit.js";

const TICK = 1000;
const BEAT = 4_500;
const SELDOM = 15_000;

const node = (id) => document.getElementById(id);
const main = node("main");
const clock = new ServiceClock();
const models = new Map();
let state = initial(Date.now());
let feed = null;
let drawing = 0;

const cards = new Cards({
  redraw: draw,
  detail: (id) => state.details[id],
  settled: (alert, problem) => {
    if (!problem) node("say").textContent = `Answer taken: ${alert.headline}`;
    for (const what of [readUnit, readBed]) what.ask(0);
    readDetail(alert.id);
  },
});

function take(event) {
  state = reduce(state, event);
  soonDraw();
}

// --- reading -----------------------------------------------------------------------------------------------------

/** Reads something; a missing token is asked for, any other failure leaves what is known, and the banner tells. */
async function reading(work) {
  const failed = await attempt(work);
  if (failed?.status !== 401) return failed;
  const again = (await login.renew()) ? await attempt(work) : failed;
  if (again?.status === 401) signIn(again.message);
  return again;
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    return error;
  }
  return null;
}

const readUnit = new Soon(async () => {
  const failed = await reading(async () => {
    const unit = await api.unit();
    // The log began anew: nothing of what is known here is to be held against it.
    if (state.position !== null && unit.position < state.position) return location.reload();
    clock.hear(instant(unit.now), Date.now());
    take({ type: "unit", unit });
    if (!feed) follow();
  });
  if (failed?.status === 403) take({ type: "refused", why: failed.message });
});

const readBed = new Soon(async () => {
  const patient = state.bed?.patient;
  if (!patient) return;
  const failed = await reading(async () => {
    const [snapshot, trends] = await Promise.all([api.patient(patient), api.trends(patient)]);
    take({ type: "patient", patient: snapshot });
    take({ type: "trends", patient, trends });
    await Promise.all(snapshot.pathways.map(({ pathway }) => readExplanation(patient, pathway)));
  });
  if (failed?.status === 404) take({ type: "no-bed", patient, why: failed.message });
});

async function readExplanation(patient, pathway) {
  take({ type: "explanation", patient, pathway, explanation: await api.explain(patient, pathway) });
}

/** Shows what was known at an earlier time; of every pathway, because others may have applied then. */
function showPast(at) {
  const patient = state.bed?.patient;
  take({ type: "past", at });
  if (at === null || !patient) return;
  for (const pathway of state.bed.snapshot.judged) readPast(patient, pathway, at);
}

async function readPast(patient, { pathway, title }, at) {
  let explanation = null;
  const failed = await reading(async () => {
    explanation = await api.explain(patient, pathway, at);
  });
  explanation ??= { title, problem: failed.message };
  take({ type: "past-explanation", at, pathway, explanation });
}

const asked = new Map();

/** Reads the card of an alert, unless the one at hand or on its way is of the same change. */
function readDetail(id, sequence = null) {
  if (sequence !== null && asked.get(id) === sequence) return;
  asked.set(id, sequence);
  reading(async () => take({ type: "detail", alert: await api.alert(id) })).then((failed) => {
    if (failed) asked.delete(id);
  });
}

function readOpenCards() {
  for (const alert of state.bed?.snapshot?.alerts ?? []) {
    const known = state.details[alert.id];
    const current = known?.sequence === alert.sequence && known.state === alert.state;
    if (cards.isOpen(alert.id) && !current) readDetail(alert.id, alert.sequence);
  }
}

// --- the feed ----------------------------------------------------------------------------------------------------

function follow() {
  feed = new Feed({
    position: state.followed,
    onLink: (link, status) => {
      if (status === 401) readUnit.ask(0);
      take({ type: "link", connected: link === "open" });
      if (link === "open") refresh();
    },
    onMessage: ({ id, event, data }) => {
      const local = Date.now();
      if (event === "heartbeat") {
        clock.hear(instant(data.now), local);
        take({ type: "heartbeat", now: data.now, local });
        if (document.visibilityState === "visible") beat();
        return;
      }
      take({ type: "feed", id, event, data, local });
      readUnit.ask();
      if (data.patient === state.bed?.patient) readBed.ask();
    },
  });
  feed.start();
}

function beat() {
  readUnit.atLeastEvery(state.bed ? SELDOM : BEAT);
  if (state.bed) readBed.atLeastEvery(BEAT);
}

function refresh() {
  readUnit.ask(0);
  if (state.bed) readBed.ask(0);
}

// --- drawing -----------------------------------------------------------------------------------------------------

function soonDraw() {
  drawing ||= requestAnimationFrame(draw);
}

function draw() {
  cancelAnimationFrame(drawing);
  drawing = 0;
  const local = Date.now();
  const now = clock.at(local);
  const isBlind = blind(state, local);
  const focused = document.activeElement;
  document.body.toggleAttribute("data-blind", isBlind);
  render(topBar(state, now, { view: state.bed ? "bed" : "unit", isBlind, on: buttons }), node("top"));
  const lost = banner(state, clock.at(state.heardAt), local - state.heardAt, isBlind);
  render(isBlind ? lost : notices(state, now), node("banner"));
  render(view(now, local, isBlind), main);
  if (state.bed) readOpenCards();
  drawAll(main, models);
  // Elements that change places lose the focus.
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  document.title = title(isBlind);
  announce();
}

function view(now, local, lost) {
  if (state.refused) return html`<p class="loading">This page is not for your role: ${state.refused}.</p>`;
  if (!state.loaded) return html`<p class="loading">Connecting …</p>`;
  for (const [id, since] of Object.entries(state.changed)) {
    if (local - since > NEW_FOR) delete state.changed[id];
  }
  if (state.bed) return bedView(state, now, { lost, ui: cards, models, showPast });
  return unitView(state, now, lost);
}

/** No patient is named in the title of a window or tab. */
function title(isBlind) {
  const open = state.beds.flatMap((bed) => shown(bed.alerts)).filter((alert) => alert.state === "open");
  const high = open.filter((alert) => alert.priority === "HIGH").length;
  return `${isBlind ? "BLIND – " : high ? `!!! ${high} – ` : ""}rescue-monitor`;
}

/** Says what interrupts: at once only what is of high priority. */
function announce() {
  if (state.announcements.length === 0) return;
  const high = state.announcements.filter((one) => one.priority === "HIGH");
  const others = state.announcements.filter((one) => one.priority !== "HIGH");
  if (high.length) node("say-high").textContent = spoken(high);
  if (others.length) node("say").textContent = spoken(others);
  state = reduce(state, { type: "said" });
}

// --- the address -------------------------------------------------------------------------------------------------

function route() {
  const [, bed] = /^#\/bed\/(.+)$/.exec(location.hash) ?? [];
  const left = state.bed?.patient;
  if (bed) {
    cards.reset();
    asked.clear();
    take({ type: "open-bed", patient: decodeURIComponent(bed) });
    readBed.ask(0);
  } else {
    take({ type: "close-bed" });
  }
  draw();
  scrollTo(0, 0);
  const tile = left && !bed ? main.querySelector(`[data-patient="${CSS.escape(left)}"]`) : null;
  (tile ?? main).focus({ preventScroll: tile === null });
}

function toNeighbour(step) {
  const index = state.beds.findIndex((bed) => bed.patient === state.bed?.patient);
  if (index < 0) return;
  location.hash = bedAddress(state.beds[(index + step + state.beds.length) % state.beds.length].patient);
}

const buttons = {
  theme: () => {
    theme.turn();
    draw();
  },
  help,
  unit: () => (location.hash = "#/"),
  next: () => toNeighbour(1),
  previous: () => toNeighbour(-1),
  back: () => state.bed && (location.hash = "#/"),
};

// --- start -------------------------------------------------------------------------------------------------------

theme.follow(draw);
keys.listen(buttons);
addEventListener("hashchange", route);
addEventListener("resize", soonDraw);
node("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") {
    refresh();
    draw();
  }
});
setInterval(() => {
  if (!state.loaded) readUnit.atLeastEvery(2 * TICK);
  draw();
}, TICK);
if (api.chosenUnit !== null) take({ type: "only" });
const refusal = await login.finish();
if (refusal) signIn(refusal);
reading(async () => take({ type: "me", me: await api.me() }));
readUnit.ask(0);
route();
