// What the person at this screen does with cards: which are open, which form is shown, what came of an answer.

import * as api from "./api.js";

/** Keeps that by alert; `redraw` is called after every change, `settled` after an answer, with a sentence or null. */
export class Cards {
  #known = new Map();
  #redraw;
  #settled;
  #detail;

  constructor({ redraw, settled, detail }) {
    this.#redraw = redraw;
    this.#settled = settled;
    this.#detail = detail;
  }

  /** Forget all: another bed is opened. */
  reset() {
    this.#known.clear();
  }

  isOpen(id) {
    return this.#known.get(id)?.open ?? false;
  }

  /** The part of a card that is this screen's own. The first card of a bed starts open; none closes by itself. */
  card(alert, index) {
    let known = this.#known.get(alert.id);
    if (!known) {
      known = { open: index === 0, form: null, busy: false, problem: null };
      this.#known.set(alert.id, known);
    }
    const set = (changes) => {
      Object.assign(known, changes);
      this.#redraw();
    };
    return {
      ...known,
      toggle: () => set({ open: !known.open }),
      ask: (form) => {
        set({ form });
        const found = document.getElementById(`card-${alert.id}`);
        (form ? found?.querySelector(".decline input") : found?.querySelector("[aria-controls$=-decline]"))?.focus();
      },
      answer: (answer) => this.#answer(alert, known, answer),
    };
  }

  /** Send an answer to the card as it was seen; what the service objects to is told in its one sentence. */
  async #answer(alert, known, answer) {
    const seen = this.#detail(alert.id) ?? alert;
    Object.assign(known, { busy: true, problem: null });
    this.#redraw();
    let problem = null;
    try {
      await api.answer(alert.id, { ...answer, sequence: seen.sequence });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      problem = `Not taken: ${error.message.replaceAll(alert.subject, alert.title)}`;
    }
    Object.assign(known, { busy: false, form: null, problem });
    this.#redraw();
    this.#settled(alert, problem);
    const card = document.getElementById(`card-${alert.id}`);
    card?.querySelector(problem ? ".problem" : "h3 button")?.focus();
  }
}
