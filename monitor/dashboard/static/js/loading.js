// When what is read: snapshots after each message of the feed that may change them, and with each heartbeat.

const SETTLE = 250;

/** Runs `work` soon after it was last asked for; never twice at once, and once more if asked for meanwhile. */
export class Soon {
  #work;
  #timer = 0;
  #running = false;
  #again = false;
  #last = -Infinity;

  constructor(work) {
    this.#work = work;
  }

  /** Ask for it; `after` is how long to wait for more to come. */
  ask(after = SETTLE) {
    if (this.#running) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), after);
  }

  /** Ask for it unless it was done in the last `milliseconds`. */
  atLeastEvery(milliseconds) {
    if (performance.now() - this.#last >= milliseconds) this.ask(0);
  }

  async #run() {
    this.#running = true;
    this.#again = false;
    this.#last = performance.now();
    try {
      await this.#work();
    } finally {
      this.#running = false;
      if (this.#again) this.ask();
    }
  }
}
