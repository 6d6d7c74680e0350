// The bed view: cards of all suggestions, trends with thresholds and treatments, why and why not, what was taken back.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { SHOWN, byUrgency, goalWords, shown, verdictWords } from "./alerts.js";
import { dataState } from "./beds.js";
import { cardView } from "./card.js";
import { explanationView, pastView, timePicker } from "./explanation.js";
import { inLocalTime, instant, span, timeOfDay } from "./time.js";
import { trendModel } from "./trends.js";
import { numberText, quantity, unitName } from "./units.js";

/**
 * The bed view. `ui` holds what this screen does with each card, `lost` is whether the feed is, `showPast` another
 * time; charts are drawn afterwards from `models`.
 */
export function bedView(state, now, { lost, ui, models, showPast }) {
  const { patient, snapshot } = state.bed;
  if (state.missing) return html`<h1 class="bed-title">${patient}</h1><p class="loading">${state.missing}</p>`;
  if (!snapshot) return html`<h1 class="unseen">${patient}</h1><p class="loading">Reading …</p>`;
  const board = shown(snapshot.alerts);
  const past = snapshot.alerts.filter((alert) => !SHOWN.has(alert.state)).sort(newestFirst);
  const card = (alert, index) =>
    cardView({
      alert,
      detail: state.details[alert.id],
      now,
      may: state.me?.role === "clinician",
      ui: ui.card(alert, index),
      number: index + 1,
    });
  return html`
    <div class="bed" data-patient=${patient}>
      ${head(snapshot, now)}
      <section class="cards" aria-labelledby="cards-title">
        <h2 id="cards-title">Suggestions and notices <span class="count">${board.length}</span></h2>
        ${board.length ? nothing : html`<p class="none">${silence(snapshot, lost)}</p>`}
        ${repeat(board, (alert) => alert.id, card)}
        <h2 class="past-title">Answered, kept back or taken back <span class="count">${past.length}</span></h2>
        ${past.length ? nothing : html`<p class="none">Nothing in the last 30 minutes.</p>`}
        ${repeat(past, (alert) => alert.id, (alert) => card(alert, Infinity))}
      </section>
      <section class="trends" aria-labelledby="trends-title">
        <h2 id="trends-title">Trends and treatments</h2>
        ${state.trends ? trendsView(state.trends, snapshot.signals, now, models) : html`<p class="none">Reading …</p>`}
      </section>
      <section class="why" aria-labelledby="why-title">
        <h2 id="why-title">Why, why not, what is missing</h2>
        ${timePicker(state.past, now, showPast)}
        ${state.past ? pastView(state.past, now) : presentView(snapshot, state.explanations, now)}
      </section>
    </div>
  `;
}

const presentView = (snapshot, explanations, now) => html`
  ${snapshot.pathways.length ? nothing : html`<p class="none">No pathway applies.</p>`}
  ${snapshot.pathways.map((pathway) => explanationView(pathway, explanations[pathway.pathway], now))}
`;

const newestFirst = (one, other) => byChange(other) - byChange(one) || byUrgency(one, other);
const byChange = (alert) => instant(alert.changed_at) ?? 0;

function silence(bed, lost) {
  if (lost) return "Not known: feed lost.";
  return bed.data.blind || bed.data.stale ? "No open alert. That says nothing while data are missing." : "No open alert.";
}

function head(bed, now) {
  const data = dataState(bed.data, now);
  return html`
    <header class="bed-head" data-data=${data.state}>
      <h1 class="bed-title">${bed.bed ?? bed.patient}</h1>
      <p class="bed-who">
        <span>${typeof bed.age_years === "number" ? `${Math.floor(bed.age_years)} years` : "age not known"}</span>
        <span class="goals" ?data-limited=${bed.goals_of_care !== "full"}>${goalWords(bed.goals_of_care)}</span>
      </p>
      <ul class="bed-pathways">
        ${bed.pathways.map((pathway) => pathwayBox(pathway, now))}
      </ul>
      ${data.state === "live"
        ? html`<p class="bed-data">data ${data.age} old</p>`
        : html`<p class="technical"><b>${data.state === "blind" ? "No data" : "Stale"}</b><span>${data.text}</span></p>`}
    </header>
  `;
}

const pathwayBox = (pathway, now) => html`
  <li data-state=${pathway.suppressed ? "SUPPRESSED" : pathway.state}>
    <b>${pathway.stage ?? "–"}</b>
    <span>
      ${pathway.stage_title ?? pathway.title}
      <small
        >${verdictWords(pathway)}${reasons(pathway, now)}, since
        ${timeOfDay(instant(pathway.effective_from), now)}</small
      >
    </span>
  </li>
`;

const reasons = ({ reasons: found }, now) =>
  found.length ? `: ${found.map((one) => inLocalTime(one.title, now)).join("; ")}` : "";

function trendsView(trends, signals, now, models) {
  const model = trendModel(trends, signals, now);
  models.clear();
  models.set("treatments", { kind: "lanes", lanes: model.lanes, range: model.range, data: [[], []] });
  for (const row of model.rows) models.set(row.key, row);
  return html`
    ${model.lanes.length ? lanesView(model.lanes, now) : html`<p class="none">No treatment recorded in this time.</p>`}
    ${repeat(model.rows, (row) => row.key, (row) => rowView(row, now))}
    ${model.others.length ? othersView(model.others, now) : nothing}
  `;
}

const lanesView = (lanes, now) => html`
  <figure class="trend lanes">
    <figcaption>
      <ul>
        ${lanes.map((lane) => html`<li>${lane.title}</li>`)}
      </ul>
    </figcaption>
    <div class="plot" data-plot="treatments" aria-hidden="true"></div>
    <table class="unseen">
      <caption>
        Treatments
      </caption>
      <tbody>
        ${lanes.flatMap((lane) => lane.bars.map((bar) => treatmentRow(lane, bar, now)))}
      </tbody>
    </table>
  </figure>
`;

const treatmentRow = (lane, bar, now) => html`
  <tr>
    <th scope="row">${lane.title}</th>
    <td>${bar.label}</td>
    <td>
      ${bar.once ? "at" : "from"} ${timeOfDay(instant(bar.text.from), now)}
      ${bar.once ? "" : bar.text.to ? `to ${timeOfDay(instant(bar.text.to), now)}` : "to now"}
    </td>
  </tr>
`;

function rowView(row, now) {
  const points = row.data[1].filter((value) => value !== null);
  return html`
    <figure class="trend" data-signal=${row.key}>
      <figcaption>
        <span class="trend-title">${row.title}</span>
        ${row.signal ? valueView(row.signal, now) : nothing}
        <span class="unseen">${inWords(row, points)}</span>
      </figcaption>
      <div class="plot" data-plot=${row.key} aria-hidden="true"></div>
    </figure>
  `;
}

function inWords(row, points) {
  if (points.length === 0) return "No values in this time.";
  const reach = `${points.length} values from ${numberText(Math.min(...points))} to ${numberText(Math.max(...points))}.`;
  return [reach, ...row.thresholds.map((limit) => `Threshold ${limit.label}.`)].join(" ");
}

const valueView = (signal, now) =>
  typeof signal.value === "number" ? measured(signal, now) : html`<span class="value"><b>not known</b></span>`;

const measured = (signal, now) => html`
  <span class="value" ?data-stale=${signal.stale}>
    <b>${numberText(signal.value)}</b> ${unitName(signal.unit)}
  </span>
  <span class="value-age" ?data-stale=${signal.stale}
    >${signal.stale ? html`<b>too old</b> ` : nothing}${timeOfDay(instant(signal.at), now)}, ${span(now - instant(signal.at))} ago</span
  >
`;

const knownFirst = (signals) => [...signals].sort((one, other) => Number(other.at !== null) - Number(one.at !== null));

/** A longer list of other values starts closed. */
const MOST_OPEN = 10;

const othersView = (signals, now) => html`
  <details class="others" ?open=${signals.length <= MOST_OPEN}>
    <summary>Other values (${signals.length})</summary>
    <table>
      <tbody>
        ${knownFirst(signals).map(
          (signal) =>
            html`<tr ?data-stale=${signal.stale}>
              <th scope="row">${signal.title}</th>
              <td>${typeof signal.value === "number" ? quantity(signal.value, signal.unit) : "not known"}</td>
              <td>${signal.at ? timeOfDay(instant(signal.at), now) : ""}${signal.at && signal.stale ? ", too old" : ""}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </details>
`;

