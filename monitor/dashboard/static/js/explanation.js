// Why a pathway stands where it does, why not further, and what is missing, as the engine explains it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { verdictText, verdictWords } from "./alerts.js";
import { forInput, fromInput, inLocalTime, instant, timeOfDay, zoneName } from "./time.js";

const TRUTHS = { met: "✓", "not met": "✗", unknown: "?" };

export function explanationView(pathway, explanation, now) {
  const local = (text) => inLocalTime(text, now);
  return html`
    <article class="explanation" aria-label=${pathway.title}>
      <details ?open=${!pathway.suppressed}>
        <summary><h3>${pathway.stage ?? "–"} ${pathway.title}: ${verdictWords(pathway)}</h3></summary>
        ${explanation ? content(explanation, local) : html`<p class="none">Reading …</p>`}
      </details>
    </article>
  `;
}

/** How far back the service keeps what was known, in milliseconds. */
const KEPT = 24 * 3_600_000;

/** Chooses the time of which is told; `show` gets an ISO time, or null for now. */
export function timePicker(past, now, show) {
  const send = (event) => {
    event.preventDefault();
    show(fromInput(new FormData(event.target).get("at")));
  };
  return html`
    <form class="at-time row" @submit=${send}>
      <label
        >As known at
        <input
          type="datetime-local"
          name="at"
          required
          min=${forInput(now - KEPT)}
          max=${forInput(now)}
          .defaultValue=${forInput(past ? instant(past.at) : now)}
        />
      </label>
      <button type="submit">Show</button>
      ${past ? html`<button type="button" class="main" @click=${() => show(null)}>Back to now</button>` : nothing}
    </form>
  `;
}

/** What was known at an earlier time of all pathways, those that did not apply in one line. */
export function pastView(past, now) {
  const at = instant(past.at);
  const found = Object.values(past.explanations);
  return html`
    <div class="past-time">
      <p class="past-note" role="status"><b>Not now: as known at ${timeOfDay(at, now)} ${zoneName(at)}</b></p>
      ${found.length ? nothing : html`<p class="none">Reading …</p>`}
      ${found.map((one) => (one.problem ? html`<p class="none">${one.title}: ${one.problem}</p>` : thenView(one, now)))}
    </div>
  `;
}

function thenView(found, now) {
  const local = (text) => inLocalTime(text, now);
  const applied = !found.verdict.startsWith("NOT_APPLICABLE");
  return html`
    <article class="explanation" aria-label=${found.title}>
      <details ?open=${applied}>
        <summary><h3>${found.title}: ${verdictText(found.verdict)}${found.stage ? `, ${found.stage}` : ""}</h3></summary>
        ${content(found, local)}
      </details>
    </article>
  `;
}

const content = (found, local) => html`
  ${block("Why", found.because.map(local))}
  ${block("What is missing", found.missing.map(local))}
  ${found.nearest.length
    ? html`<h4>Why not further, the nearest first</h4>
        ${found.nearest.slice(0, 2).map((step) => stepView(step, local))}
        ${found.nearest.length > 2
          ? html`<details>
              <summary>${found.nearest.length - 2} more</summary>
              ${found.nearest.slice(2).map((step) => stepView(step, local))}
            </details>`
          : nothing}`
    : nothing}
  ${found.therapies.length
    ? html`<details>
        <summary>Therapies (${found.therapies.length})</summary>
        ${found.therapies.map((therapy) => therapyView(therapy, local))}
      </details>`
    : nothing}
  ${found.sections.length
    ? html`<details>
        <summary>Every condition</summary>
        ${found.sections.map(
          (section) =>
            html`<p class="step-title">${truth(section.truth)} ${section.title}</p>
              ${criteria(section.criteria, local)}`,
        )}
      </details>`
    : nothing}
`;

const block = (title, lines) =>
  lines.length
    ? html`<h4>${title}</h4>
        <ul class="points">
          ${lines.map((line) => html`<li>${line}</li>`)}
        </ul>`
    : nothing;

const stepView = (step, local) => html`
  <p class="step-title">${step.title}</p>
  ${criteria(step.criteria, local)}
`;

const criteria = (found, local) => html`
  <ul class="criteria">
    ${found.map(
      (one) =>
        html`<li data-depth=${Math.min(one.depth, 5)} data-truth=${one.truth}>
          ${truth(one.truth)}
          <span>${one.text.replace(/:$/, "")}${said(one, local)}</span>
        </li>`,
    )}
  </ul>
`;

const truth = (value) => html`<span class="truth" data-truth=${value} role="img" aria-label=${value}>${TRUTHS[value]}</span>`;

function said({ evidence, missing }, local) {
  const parts = [];
  if (evidence.length) parts.push(`now ${evidence.map(local).join("; ")}`);
  if (missing.length) parts.push(`missing: ${missing.map(local).join(", ")}`);
  return parts.length ? html`<small>: ${parts.join("; ")}</small>` : nothing;
}

const therapyView = (therapy, local) => html`
  <p class="step-title">
    ${therapy.title}: ${therapy.advice ? therapy.advice.toLowerCase() : "not indicated"}${therapy.reasons.length
      ? ` (${therapy.reasons.map(local).join("; ")})`
      : ""}
  </p>
  <ul class="points">
    ${therapy.window ? html`<li>window: ${local(therapy.window)}</li>` : nothing}
    ${therapy.speaks_for.map((text) => html`<li>for: ${local(text)}</li>`)}
    ${therapy.speaks_against.map((text) => html`<li>against: ${local(text)}</li>`)}
    ${therapy.advice ? therapy.not_known.map((text) => html`<li>not known: ${local(text)}</li>`) : nothing}
  </ul>
  ${therapy.wanting.length ? criteria(therapy.wanting, local) : nothing}
`;
