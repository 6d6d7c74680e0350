// Why a pathway stands where it does, why not further, and what is missing, as the engine explains it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { verdictWords } from "./alerts.js";
import { inLocalTime } from "./time.js";

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
