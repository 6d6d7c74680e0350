// The frame around both views: top bar, and the banner that says that the feed is lost, clocks differ, or from where no data come.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { shown } from "./alerts.js";
import { mark } from "./marks.js";
import { instant, span, timeOfDay, zoneName } from "./time.js";
import { chosen } from "./theme.js";
import { bedAddress } from "./unit.js";

/** The top bar; `view` is "unit" or "bed", `on` the handlers of its buttons. */
export function topBar(state, now, { view, isBlind, on }) {
  return html`
    <p class="product">${view === "bed" ? html`<a href="#/" id="to-unit">← All beds</a>` : (state.unit || "rescue-monitor")}</p>
    ${view === "bed" ? neighbours(state) : nothing} ${tally(state)}
    <p class="link-state push" data-link=${linkState(state, isBlind)}>${LINK_WORDS[linkState(state, isBlind)]}</p>
    <p class="clock">
      <time datetime=${new Date(now).toISOString()}>${timeOfDay(now, now, { seconds: true })}</time>
      <small>${zoneName(now)}</small>
    </p>
    <div class="row">
      <button id="theme" @click=${on.theme}>Theme: ${chosen()}</button>
      <button id="help" @click=${on.help}>Keys <kbd>?</kbd></button>
    </div>
  `;
}

const LINK_WORDS = { live: "live", waiting: "reconnecting …", lost: "feed lost" };

const linkState = (state, isBlind) => (isBlind ? "lost" : state.connected ? "live" : "waiting");

/** How many beds have an unanswered alert of each priority, and how many are without usable data. */
function tally(state) {
  const worst = state.beds.map((bed) => shown(bed.alerts).find((alert) => alert.state === "open")?.priority);
  const count = (priority) => worst.filter((one) => one === priority).length;
  const blind = state.beds.filter((bed) => bed.data?.blind).length;
  const stale = state.beds.filter((bed) => bed.data?.stale && !bed.data.blind).length;
  return html`<p class="tally" aria-label="Beds by their most urgent unanswered alert">
    ${["HIGH", "MEDIUM", "LOW"].map((priority) => html`<span>${mark(priority)} <b>${count(priority)}</b></span>`)}
    <span>no data <b>${blind}</b></span> <span>stale <b>${stale}</b></span>
  </p>`;
}

function neighbours(state) {
  const index = state.beds.findIndex((bed) => bed.patient === state.bed?.patient);
  if (index < 0 || state.beds.length < 2) return nothing;
  const at = (step) => state.beds[(index + step + state.beds.length) % state.beds.length];
  return html`<nav class="row" aria-label="Beds by urgency">
    <a id="previous" href=${bedAddress(at(-1).patient)}>‹ ${at(-1).bed ?? at(-1).patient}</a>
    <a id="next" href=${bedAddress(at(1).patient)}>${at(1).bed ?? at(1).patient} ›</a>
  </nav>`;
}

/** What stands above the beds while the feed is not lost: clocks that differ, and inputs from which no data come. */
export const notices = (state, now) => [clocks(state), ...missing(state, now)];

/** Says that clocks differ, and what that means for what is shown; nothing while they agree. */
function clocks(state) {
  if (!state.clock?.warning) return nothing;
  const words = state.clock.warning;
  const meaning = state.clock.doubted ? "Nobody can tell how old the data are: go to the bedside." : "What is shown goes by its senders.";
  return html`<p class="missing" data-clock>${words[0].toUpperCase()}${words.slice(1)}. ${meaning}</p>`;
}

/** Says of each input from which data do not come as they should since when, and why; nothing while all do. */
function missing(state, now) {
  return state.inputs
    .filter((input) => !input.ready)
    .map((input) => {
      const since = instant(input.since);
      const start = input.heard_at === null ? ", when the monitor was started" : "";
      const why = input.reason ? `: ${input.reason}` : "";
      return html`<p class="missing" data-input=${input.name}>
        No data from <b>${input.name}</b> since ${timeOfDay(since, now)} ${zoneName(since)}${start}${why}. What is shown may rest on old values.
      </p>`;
    });
}

/**
 * Says that the feed is lost, since when (`heardAt`, the service's time), for how long (`silent`, in milliseconds), and
 * how old the newest data are; nothing while it is not lost. Only the part that is not read aloud counts on.
 */
export function banner(state, heardAt, silent, isBlind) {
  if (!isBlind) return nothing;
  const newest = Math.max(...state.beds.map((bed) => instant(bed.data?.newest_at) ?? 0), 0);
  const data = newest ? `Newest data: ${timeOfDay(newest, heardAt, { seconds: true })} ${zoneName(newest)}.` : "No data.";
  return html`
    <span class="strip" aria-hidden="true"></span>
    <b>MONITOR BLIND</b>
    <span
      >Nothing heard from the monitor since ${timeOfDay(heardAt, heardAt, { seconds: true })} ${zoneName(heardAt)}. What is shown is old. ${data} Go to the bedside; this screen keeps trying.</span
    >
    <span aria-hidden="true">(${span(silent)})</span>
  `;
}
