// The sign of a priority: a shape of its own, the marks of IEC 60601-1-8, and the word; colour only adds to them.

import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { MARKS } from "./alerts.js";

const SHAPES = {
  HIGH: svg`<path d="M20 2 39 37H1Z" />`,
  MEDIUM: svg`<path d="M20 1 39 20 20 39 1 20Z" />`,
  LOW: svg`<circle cx="20" cy="20" r="17" />`,
  INFORMATION: svg`<rect x="4" y="4" width="32" height="32" />`,
};

const SIGNS = {
  fix: svg`<path d="M25 3a11 11 0 0 0-9 15L3 31l6 6 13-13a11 11 0 0 0 14-14l-7 7-6-2-2-6 7-7a11 11 0 0 0-3 1Z" />`,
  data: svg`<path d="M16 2a14 14 0 1 0 8 25l10 11 4-4-11-10A14 14 0 0 0 16 2Zm0 5a9 9 0 1 1 0 18 9 9 0 0 1 0-18Z" fill-rule="evenodd" />`,
  consider: svg`<path d="M3 5h34v24H20l-9 9v-9H3Zm5 5v4h24v-4Zm0 9v4h16v-4Z" fill-rule="evenodd" />`,
};

/** Sign and word of what an alert asks for, as `asksFor` has it. */
export const kindMark = ({ kind, word }) =>
  kind
    ? html`<span class="kind" data-kind=${kind}
        ><svg viewBox="0 0 40 40" aria-hidden="true" focusable="false">${SIGNS[kind]}</svg>${word}</span
      > `
    : nothing;

/** Shape, marks and word of a priority. */
export const mark = (priority) => html`
  <span class="mark" data-priority=${priority}>
    <svg viewBox="0 0 40 40" aria-hidden="true" focusable="false">${SHAPES[priority]}</svg>
    <span class="mark-text"
      ><b aria-hidden="true">${MARKS[priority]}</b><span class="mark-word">${priority.toLowerCase()}</span></span
    >
  </span>
`;
