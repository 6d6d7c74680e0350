// The card of one alert: what stands in it, in the order of the alert text contract, and the answers to it.

import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { SHOWN, STRUCK, asksFor, attentionWords, causeWords, stateWords } from "./alerts.js";
import { windowLeft } from "./beds.js";
import { kindMark, mark } from "./marks.js";
import { inLocalTime, instant, span, timeOfDay } from "./time.js";

const ACTION_WORDS = { acknowledge: "Acknowledge", accept: "Accept", decline: "Decline", snooze: "Snooze", retry: "Try again" };

/** The findings of a card, one line for each measure with its newest value first; repeats are left out. */
export function findingLines(findings, beside) {
  const lines = new Map();
  const said = new Set();
  for (const { measure, title, text, at } of findings) {
    const name = title ?? measure.replaceAll("_", " ");
    const same = `${text} ${at}`;
    if (said.has(same) && text.startsWith(name)) continue;
    said.add(same);
    const values = lines.get(name) ?? [];
    if (!values.some((value) => value.text === text && value.at === at)) values.push({ text, at });
    lines.set(name, values);
  }
  return [...lines].map(([name, values]) => ({
    name,
    values: values
      .sort((one, other) => (instant(other.at) ?? Infinity) - (instant(one.at) ?? Infinity))
      .map(({ text, at }) => ({
        text: inLocalTime(text, beside),
        at: timeUnlessSaid(at, inLocalTime(text, beside), beside),
        iso: at,
      })),
  }));
}

function timeUnlessSaid(at, text, beside) {
  if (!at) return "";
  const time = timeOfDay(instant(at), beside, { seconds: instant(at) % 60_000 !== 0 });
  return text.includes(time) ? "" : time;
}

/**
 * The card of an alert.
 *
 * `alert` is the summary, `detail` the whole alert once it was read, `ui` what the person at this screen does with it:
 * `open`, `form` ("decline" or null), `busy`, `problem`, and the handlers `toggle`, `answer`, `ask`, `dismiss`.
 */
export function cardView({ alert, detail, now, may, ui, number }) {
  const id = `card-${alert.id}`;
  const struck = STRUCK.has(alert.state);
  const asks = asksFor({ ...alert, headline: inLocalTime(alert.headline, now) });
  return html`
    <article
      class="card"
      id=${id}
      aria-labelledby="${id}-title"
      data-alert=${alert.id}
      data-priority=${alert.priority}
      data-state=${alert.state}
      ?data-struck=${struck}
    >
      <header>
        ${mark(alert.priority)}
        <div class="card-title">
          <h3 id="${id}-title">
            <button class="plain" aria-expanded=${ui.open} aria-controls="${id}-body" @click=${ui.toggle}>
              ${kindMark(asks)}${struck ? html`<s>${asks.headline}</s>` : asks.headline}
            </button>
          </h3>
          <p class="card-state">${stateLine(alert, now)}</p>
        </div>
        ${windowBox(alert, now)}
      </header>
      <div id="${id}-body" ?hidden=${!ui.open}>
        ${ui.open ? (detail ? body(alert, detail, now, id) : html`<p class="loading">Reading …</p>`) : nothing}
      </div>
      ${ui.problem ? html`<p class="problem" tabindex="-1" id="${id}-problem">${ui.problem}</p>` : nothing}
      ${ui.open && detail ? answers(alert, detail, may, ui, id, number) : nothing}
    </article>
  `;
}

function stateLine(alert, now) {
  const raised = instant(alert.raised_at);
  const parts = [
    `${alert.pathway_title} ${alert.stage}`,
    `raised ${timeOfDay(raised, now)}, ${span(now - raised)} ago`,
  ];
  const attention = SHOWN.has(alert.state) ? attentionWords(alert) : "";
  return html`<b>${struckWords(alert)}</b
    ><span>${alert.cause && !SHOWN.has(alert.state) ? inLocalTime(causeWords(alert.cause), now) : ""}</span
    >${attention ? html`<span class="attention">${inLocalTime(attention, now)}</span>` : nothing}${alert.asked ? html`<span>${alert.asked.replaceAll("_", " ")} asked</span>` : nothing}<span
      >${parts.join(", ")}</span
    >`;
}

const struckWords = (alert) =>
  STRUCK.has(alert.state) ? `${stateWords(alert.state)}: do not act on it` : stateWords(alert.state);

function windowBox(alert, now) {
  const left = SHOWN.has(alert.state) ? windowLeft(alert.window, now) : null;
  if (!left) return nothing;
  return html`<p class="card-window" ?data-closing=${left.closing} ?data-over=${left.over}>
    <b>${left.text}</b><span>${left.over ? "" : "decide "}${left.by}</span>
  </p>`;
}

/** The ten parts; a part that has nothing to say says so, where silence could be taken for the all-clear. */
function body(alert, detail, now, id) {
  const { card } = detail;
  const silent = (lines) => lines.length === 0 && isNotice(alert);
  const local = (lines) => lines.map((line) => inLocalTime(line, now));
  return html`
    <dl class="parts">
      ${silent(card.findings) ? nothing : part("Findings", findings(card.findings, now))} ${list("Fix first", local(card.fix_first))}
      ${part("Suggestion", html`<p class="suggestion">${inLocalTime(card.suggestion, now)}</p>`)}
      ${list("Evidence", local(card.evidence))}
      ${silent(card.contraindications) ? nothing : list("Against it", local(card.contraindications), "no contraindication found in the data received")}
      ${silent(card.not_known) ? nothing : list("Not known", local(card.not_known), "nothing that the rule asks for")}
      ${card.window ? part("Window", html`<p>${inLocalTime(card.window, now)}</p>`) : nothing}
      ${part("Goals of care", html`<p>${card.goals_of_care}</p>`)} ${list("Data quality", local(card.data_quality), "", true)}
      ${part("Rule", html`<p class="small">${card.rule}</p>`)}
    </dl>
    <details class="past">
      <summary>What happened to it (${detail.history.length})</summary>
      <ol>
        ${detail.history.map((change) => historyLine(change, now))}
      </ol>
    </details>
  `;
}

const NOTICES = new Set(["refractory", "fix_first", "obtain_data", "not_watched"]);
const isNotice = (alert) => NOTICES.has(alert.subject);

const part = (title, content) => html`<div><dt>${title}</dt><dd>${content}</dd></div>`;

function list(title, lines, otherwise = "", small = false) {
  if (lines.length === 0 && !otherwise) return nothing;
  const said = lines.length ? lines : [otherwise];
  return part(title, html`<ul class=${small ? "small" : ""}>${said.map((line) => html`<li>${line}</li>`)}</ul>`);
}

const findings = (found, now) => html`
  <table class="findings">
    <tbody>
      ${findingLines(found, now).map(
        (line) =>
          html`<tr>
            <th scope="row">${line.name}</th>
            <td>${line.values.map(
              (value, index) =>
                html`${index ? "; " : ""}${value.text}${value.at ? html` <time datetime=${value.iso}>${value.at}</time>` : nothing}`,
            )}</td>
          </tr>`,
      )}
    </tbody>
  </table>
`;

function historyLine(change, now) {
  const at = instant(change.decided_at);
  const asked = change.asked ? `, ${change.asked.replaceAll("_", " ")} asked` : "";
  const cause = change.cause ? `: ${inLocalTime(causeWords(change.cause), now)}` : "";
  const delayed = change.delayed ? `; interruption waits: ${change.delayed}` : "";
  return html`<li>
    <time datetime=${change.decided_at}>${timeOfDay(at, now, { seconds: true })}</time> ${change.change}${asked}${cause}${delayed}
  </li>`;
}

function answers(alert, detail, may, ui, id, number) {
  if (detail.actions.length === 0) return nothing;
  if (!may) return html`<p class="answers small">You can read this alert, but your role cannot answer it.</p>`;
  const decline = detail.actions.find((one) => one.action === "decline");
  return html`
    <div class="answers" role="group" aria-label="Answers to ${alert.headline}">
      <div class="row">
        ${detail.actions
          .filter((one) => one.action !== "decline")
          .flatMap((one) => (one.reasons.length ? one.reasons : [""]).map((reason) => button(one.action, reason, ui)))}
        ${decline
          ? html`<button
              aria-expanded=${ui.form === "decline"}
              aria-controls="${id}-decline"
              ?disabled=${ui.busy}
              @click=${() => ui.ask(ui.form === "decline" ? null : "decline")}
            >
              Decline …
            </button>`
          : nothing}
      </div>
      ${decline && ui.form === "decline" ? declineForm(decline, ui, id) : nothing}
    </div>
  `;
}

const button = (action, reason, ui) => html`
  <button data-action=${action} data-reason=${reason} ?disabled=${ui.busy} @click=${() => ui.answer({ action, reason })}>
    ${ACTION_WORDS[action] ?? action}${reason ? `: ${reason}` : ""}
  </button>
`;

function declineForm(decline, ui, id) {
  const send = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    ui.answer({ action: "decline", reason: form.get("reason"), comment: String(form.get("comment")).trim() });
  };
  const leave = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    ui.ask(null);
  };
  return html`
    <form id="${id}-decline" class="decline" @submit=${send} @keydown=${leave}>
      <fieldset>
        <legend>Why is it declined?</legend>
        ${decline.reasons.map(
          (reason) => html`<label><input type="radio" name="reason" value=${reason} required /> ${reason}</label>`,
        )}
      </fieldset>
      <label class="comment">Comment, if any <input name="comment" maxlength="500" autocomplete="off" /></label>
      <div class="row">
        <button class="main" type="submit" ?disabled=${ui.busy}>Decline</button>
        <button type="button" @click=${() => ui.ask(null)}>Cancel</button>
      </div>
    </form>
  `;
}
