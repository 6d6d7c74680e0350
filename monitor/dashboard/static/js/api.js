// The HTTP interface: JSON in and out, problems as errors with their one sentence, a bearer token where one is set.

const TOKEN = "rescue-monitor.token";
const TIMEOUT = 10_000;

/** What the service objects to: an HTTP status and a sentence for people. Status 0 means that it did not answer. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
  }
}

/** The token of this tab, kept until the tab is closed. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (text) => sessionStorage.setItem(TOKEN, text),
  clear: () => sessionStorage.removeItem(TOKEN),
};

/** An address of the interface, beside wherever this page is served. */
export const address = (path) => new URL(`v1/${path}`, document.baseURI);

/** The headers that every request carries. */
export function headers(more = {}) {
  const bearer = token.get();
  return bearer ? { Authorization: `Bearer ${bearer}`, ...more } : more;
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(address(path), {
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT),
      ...options,
      headers: headers({ Accept: "application/json", ...options.headers }),
    });
  } catch {
    throw new Problem(0, "No answer", "The service does not answer.");
  }
  const body = response.status === 204 ? {} : await response.json().catch(() => null);
  if (!response.ok) {
    const detail = typeof body?.detail === "string" ? body.detail : "";
    throw new Problem(response.status, body?.title ?? `Error ${response.status}`, detail);
  }
  // An answer that breaks off is none: what is missing in it must not look empty.
  if (body === null) throw new Problem(0, "No answer", "The service broke off its answer.");
  return body;
}

const part = encodeURIComponent;

/** How people sign in here. */
export const login = () => request("login");

export const me = () => request("me");

/** The unit that this screen is for, by `?unit=` in its own address; all units without it. */
export const chosenUnit = new URLSearchParams(location.search).get("unit");

export const unit = () => request(chosenUnit === null ? "unit" : `unit?unit=${part(chosenUnit)}`);
export const patient = (name) => request(`patients/${part(name)}`);
export const trends = (name) => request(`patients/${part(name)}/trends`);

/** Why a verdict is what it is; with `at`, an ISO time, what it was then, by what was known then. */
export const explain = (name, pathway, at = null) =>
  request(`patients/${part(name)}/explain?pathway=${part(pathway)}${at === null ? "" : `&at=${part(at)}`}`);

export const alert = (id) => request(`alerts/${part(id)}`);

/** Answer an alert as it was seen: `sequence` is that of the summary on screen. */
export function answer(id, { action, reason, comment, sequence }) {
  const body = { action, based_on: sequence };
  if (reason) body.reason = reason;
  if (comment) body.comment = comment;
  return request(`alerts/${part(id)}/actions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}
