// Signing in at an identity provider: an authorization code with PKCE (RFC 7636), without any secret in the page.

import { login as askHow, token } from "./api.js";

const PENDING = "rescue-monitor.login";
const RENEWAL = "rescue-monitor.renewal";
const RANDOM = 32;

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/[+]/g, "-").replace(/[/]/g, "_").replace(/=+$/, "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(RANDOM)));

/** Where the provider sends people back to; to be registered there. */
const home = () => location.origin + location.pathname;

/** Leave for the provider; `how` is what the service says of signing in. */
export async function begin(how) {
  const pending = { verifier: random(), state: random(), back: location.search + location.hash };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.verifier));
  const there = new URL(how.authorize);
  const asked = {
    response_type: "code",
    client_id: how.client,
    redirect_uri: home(),
    scope: how.scope,
    state: pending.state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) there.searchParams.set(name, value);
  location.assign(there);
}

/** Back from the provider: exchange the code for a token. Returns what went wrong, or null. */
export async function finish() {
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  const told = new URLSearchParams(location.search);
  if (pending === null || told.get("state") !== pending.state) return null;
  sessionStorage.removeItem(PENDING);
  // The code is worth nothing any more, and is not to stay in the address.
  history.replaceState(null, "", location.pathname + pending.back);
  if (!told.get("code")) return `Not signed in: ${told.get("error_description") ?? told.get("error") ?? "no code"}.`;
  const form = { grant_type: "authorization_code", code: told.get("code"), redirect_uri: home(), code_verifier: pending.verifier };
  return (await exchange(form)) ? null : "Not signed in: the identity provider gave no token.";
}

let renewing = null;

/** Ask for another token with what the provider gave for that; whether there is one now. Never twice at once. */
export function renew() {
  renewing ??= renewOnce().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function renewOnce() {
  const renewal = sessionStorage.getItem(RENEWAL);
  sessionStorage.removeItem(RENEWAL);
  return renewal !== null && exchange({ grant_type: "refresh_token", refresh_token: renewal });
}

async function exchange(form) {
  try {
    const how = await askHow();
    const body = new URLSearchParams({ ...form, client_id: how.client });
    const response = await fetch(how.token, { method: "POST", body, credentials: "omit", cache: "no-store" });
    const given = await response.json();
    if (!response.ok || typeof given.access_token !== "string") return false;
    token.set(given.access_token);
    if (given.refresh_token) sessionStorage.setItem(RENEWAL, given.refresh_token);
    return true;
  } catch {
    return false;
  }
}
