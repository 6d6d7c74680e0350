// Time for people: the service's clock as seen from here, local times with their zone, ages and countdowns.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

// What the service's texts carry: date and time of day in UTC.
const STAMP = /\b(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d)(?::(\d\d))?\b/g;

/** Milliseconds of an ISO 8601 time; null stays null. */
export const instant = (text) => (text ? Date.parse(text) : null);

/** How long the service's word may be on its way, in milliseconds; by more than that its clock has been put back. */
const LONGEST_WAY = 3 * SECOND;

/**
 * The service's clock, estimated from what it last said. A simulated ward may run faster than real time; its pace is
 * taken from the last two readings that lie far enough apart.
 */
export class ServiceClock {
  #heard = null;
  #earlier = null;
  #pace = 1;

  /** Take in that the service's clock showed `service` at the local time `local`, both in milliseconds. */
  hear(service, local) {
    if (this.#earlier === null || local - this.#earlier.local >= 4 * SECOND) {
      if (this.#earlier !== null && service > this.#earlier.service) {
        const pace = (service - this.#earlier.service) / (local - this.#earlier.local);
        this.#pace = pace > 0.8 && pace < 1.25 ? 1 : pace;
      }
      this.#earlier = { service, local };
    }
    const expected = this.at(local);
    // What comes a little late was only long on its way: nothing counts up because of that.
    const late = this.#heard !== null && this.#pace === 1 && expected > service && expected - service < LONGEST_WAY;
    this.#heard = { service: late ? expected : service, local };
  }

  /** The service's time at the local time `local`; the local time itself while nothing was heard. */
  at(local) {
    if (this.#heard === null) return local;
    return this.#heard.service + Math.max(0, local - this.#heard.local) * this.#pace;
  }
}

/** Time of day, with the day where that is not the day of `beside`. */
export function timeOfDay(moment, beside = moment, { seconds = false } = {}) {
  const text = (seconds ? clockWithSeconds : clock).format(moment);
  return day.format(moment) === day.format(beside) ? text : `${day.format(moment)} ${text}`;
}

/** A moment to the minute as a field for date and time holds it, in local time. */
export function forInput(moment) {
  const at = new Date(moment);
  const date = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${date}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** What such a field holds as an ISO time. */
export const fromInput = (text) => new Date(text).toISOString();

/** Day of the week and of the month. */
export const dayOf = (moment) => day.format(moment);

/** The short name of the local zone at a time, e.g. "CET" or "UTC". */
export function zoneName(moment) {
  return zone.formatToParts(moment).find((part) => part.type === "timeZoneName")?.value ?? "";
}

/** A text of the service with its UTC stamps told in local time, without the date on the day of `beside`. */
export function inLocalTime(text, beside) {
  return text.replace(STAMP, (_, y, m, d, h, min, s) => {
    const moment = Date.UTC(+y, +m - 1, +d, +h, +min, +(s ?? 0));
    return timeOfDay(moment, beside, { seconds: s !== undefined });
  });
}

/** How long ago or how long, in one or two units: "12 s", "4 min", "1 h 05 min", "3 d 2 h". */
export function span(milliseconds) {
  const whole = Math.max(0, milliseconds);
  if (whole < MINUTE) return `${Math.floor(whole / SECOND)} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${pad(Math.floor((whole % HOUR) / MINUTE))} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

/** What is left of a window: minutes and seconds below an hour, hours and minutes below a day, else days. */
export function countdown(milliseconds) {
  const whole = Math.max(0, milliseconds);
  if (whole >= DAY) return span(whole);
  if (whole >= HOUR) return `${Math.floor(whole / HOUR)} h ${pad(Math.floor((whole % HOUR) / MINUTE))} min`;
  return `${Math.floor(whole / MINUTE)}:${pad(Math.floor((whole % MINUTE) / SECOND))}`;
}

const pad = (number) => String(number).padStart(2, "0");
