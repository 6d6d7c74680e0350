// The live feed: server-sent events over fetch (EventSource cannot carry a bearer token), resumed where it broke off.

import { createParser } from "../vendor/eventsource-parser/dist/index.js";
import { address, headers } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;

/** A connection that says nothing for this long is dropped and made anew; heartbeats come every 5 s. */
export const SILENCE = 15_000;

/**
 * Follows the feed for ever.
 *
 * `onMessage({ id, event, data })` gets each message once, in order: `id` is the position (a number) or null.
 * `onLink(state, status)` is told "open" when connected and "lost" when not, with the HTTP status of a refusal.
 */
export class Feed {
  #onMessage;
  #onLink;
  #position;
  #heardAt = 0;
  #wait = FIRST_WAIT;
  #abort = null;
  #retry = 0;

  constructor({ position, onMessage, onLink }) {
    this.#position = position;
    this.#onMessage = onMessage;
    this.#onLink = onLink;
  }

  start() {
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.#reconnect());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#watch();
    });
    this.#connect();
  }

  /** Connections can stay open without anything coming through, above all after sleep: then start anew. */
  #watch() {
    if (this.#abort !== null && Date.now() - this.#heardAt > SILENCE) this.#reconnect();
  }

  #reconnect() {
    this.#wait = FIRST_WAIT;
    if (this.#abort) this.#abort.abort();
    else this.#connect();
  }

  async #connect() {
    clearTimeout(this.#retry);
    const abort = new AbortController();
    this.#abort = abort;
    this.#heardAt = Date.now();
    let status = 0;
    try {
      const resumed = this.#position === null ? {} : { "Last-Event-ID": String(this.#position) };
      const response = await fetch(address("stream"), {
        headers: headers({ Accept: "text/event-stream", ...resumed }),
        cache: "no-store",
        credentials: "same-origin",
        signal: abort.signal,
      });
      status = response.status;
      if (response.ok) {
        this.#onLink("open", status);
        await this.#read(response.body);
      }
    } catch {
      // Whatever broke it, the way on is the same: say that it is lost, and try again.
    }
    if (this.#abort !== abort) return;
    this.#abort = null;
    this.#onLink("lost", status);
    this.#retry = setTimeout(() => this.#connect(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  async #read(body) {
    const parser = createParser({ onEvent: (message) => this.#take(message) });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heardAt = Date.now();
      this.#wait = FIRST_WAIT;
      parser.feed(value);
    }
  }

  #take({ id, event, data }) {
    const position = id === undefined || id === "" ? null : Number(id);
    if (position !== null) {
      if (this.#position !== null && position <= this.#position) return;
      this.#position = position;
    }
    this.#onMessage({ id: position, event: event ?? "message", data: JSON.parse(data) });
  }
}
