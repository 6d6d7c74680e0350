// The unit view: one tile per bed, in the order of urgency that the service gives.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { MARKS, stateWords } from "./alerts.js";
import { density, tile } from "./beds.js";
import { kindMark, mark } from "./marks.js";

/** The address of a bed in this page: a patient is only named after the "#", which no browser sends. */
export const bedAddress = (patient) => `#/bed/${encodeURIComponent(patient)}`;

export function unitView(state, now, lost) {
  const tiles = state.beds.map((bed) => tile(bed, now, { changed: state.changed, lost }));
  if (tiles.length === 0) return html`<h1 class="unseen">Unit</h1><p class="loading">No patients yet.</p>`;
  return html`
    <h1 class="unseen">Unit ${state.unit}: ${tiles.length} beds, most urgent first</h1>
    <ul class="unit" data-density=${density(tiles.length)}>
      ${repeat(tiles, (one) => one.patient, tileView)}
    </ul>
  `;
}

const tileView = (bed) => html`
  <li>
    <a
      class="tile"
      href=${bedAddress(bed.patient)}
      aria-label=${bed.label}
      data-patient=${bed.patient}
      data-priority=${bed.alert?.priority ?? "none"}
      data-state=${bed.alert?.state ?? "none"}
      data-data=${bed.data.state}
      ?data-fresh=${bed.alert?.fresh}
    >
      <span class="tile-head">
        <span class="bed-name">${bed.name}</span>
        ${bed.alert ? mark(bed.alert.priority) : nothing}
      </span>
      ${bed.data.state === "live" ? nothing : technical(bed.data)}
      <span class="tile-alert">
        ${bed.alert ? alertLines(bed.alert) : html`<span class="quiet">${bed.silence}</span>`}
      </span>
      ${bed.window ? windowLine(bed.window) : nothing}
      <span class="pathways">${bed.pathways.map(pathwayLine)}</span>
      <span class="tile-foot">
        <span class="bed-age">${bed.age}</span>
        <span class="goals" ?data-limited=${bed.limited}>${bed.goals}</span>
        <span class="age-of-data">data ${bed.data.age}</span>
      </span>
    </a>
  </li>
`;

const technical = (data) => html`
  <span class="technical">
    <b>${data.state === "blind" ? "No data" : "Stale"}</b>
    <span>${data.text}</span>
  </span>
`;

const alertLines = (alert) => html`
  <span class="headline">${kindMark(alert.asks)}${alert.asks.headline}</span>
  <span class="alert-state">
    <span>${stateWords(alert.state)}, ${alert.since}</span>
    ${alert.asked ? html`<span class="asked">${alert.asked} asked</span>` : nothing}
    ${alert.others.length ? html`<span class="more">+${alert.others.length} more</span>` : nothing}
  </span>
  ${alert.others.slice(0, 2).map(
    (other) => html`<span class="other-alert"><b>${MARKS[other.priority]}</b> ${other.headline}</span>`,
  )}
  ${alert.others.length > 2 ? html`<span class="other-alert">+${alert.others.length - 2} more</span>` : nothing}
`;

const windowLine = (window) => html`
  <span class="window" ?data-closing=${window.closing} ?data-over=${window.over}>
    <b>${window.text}</b> <span>${window.over ? "" : "left, decide "}${window.by}</span>
  </span>
`;

const pathwayLine = (pathway) => html`
  <span class="pathway" ?data-strong=${pathway.strong}>
    <b>${pathway.stage}</b>
    <span class="pathway-title">${pathway.title}</span>
    <span class="verdict">${pathway.verdict}</span>
  </span>
`;
