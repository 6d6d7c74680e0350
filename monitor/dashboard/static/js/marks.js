// The sign of a priority: a shape of its own, the marks of IEC 60601-1-8, and the word; colour only adds to them.

import { html, svg } from "../vendor/lit-html/lit-html.js";
import { MARKS } from "./alerts.js";

const SHAPES = {
  HIGH: svg`<path d="M20 2 39 37H1Z" />`,
  MEDIUM: svg`<path d="M20 1 39 20 20 39 1 20Z" />`,
  LOW: svg`<circle cx="20" cy="20" r="17" />`,
  INFORMATION: svg`<rect x="4" y="4" width="32" height="32" />`,
};

/** Shape, marks and word of a priority. */
export const mark = (priority) => html`
  <span class="mark" data-priority=${priority}>
    <svg viewBox="0 0 40 40" aria-hidden="true" focusable="false">${SHAPES[priority]}</svg>
    <span class="mark-text"
      ><b aria-hidden="true">${MARKS[priority]}</b><span class="mark-word">${priority.toLowerCase()}</span></span
    >
  </span>
`;
