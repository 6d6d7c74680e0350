// The two dialogs: the keys of this page, and the token that the service may ask for.

import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { login, token } from "./api.js";
import * as keys from "./keys.js";
import { begin } from "./login.js";

const dialog = document.getElementById("dialog");

/** Show the keys. */
export function help() {
  const close = () => dialog.close();
  render(
    html`
      <h2 id="dialog-title">Keys</h2>
      <table>
        <tbody>
          ${keys.DESCRIBED.map(
            ([names, does]) =>
              html`<tr>
                <th scope="row">${names.map((name) => html`<kbd>${name}</kbd> `)}</th>
                <td>${does}</td>
              </tr>`,
          )}
        </tbody>
      </table>
      <label
        ><input type="checkbox" .checked=${keys.enabled()} @change=${(event) => keys.enable(event.target.checked)} /> Keys
        of one letter are on</label
      >
      <div class="row"><button class="main" @click=${close}>Close</button></div>
    `,
    dialog,
  );
  if (!dialog.open) dialog.showModal();
}

let asking = false;

/** Have people sign in, once at a time: at the identity provider, or with a token; then the page is loaded anew. */
export async function signIn(said) {
  if (asking || dialog.open) return;
  asking = true;
  const how = await login().catch(() => ({ kind: "token" }));
  const send = (event) => {
    event.preventDefault();
    token.set(new FormData(event.target).get("token").trim());
    location.reload();
  };
  render(
    html`
      <h2 id="dialog-title">Sign in</h2>
      <p>${said}</p>
      ${how.kind === "oidc" ? atProvider(how) : nothing}
      <form @submit=${send}>
        <label>Token <input type="password" name="token" required autocomplete="off" /></label>
        <div class="row"><button class="main" type="submit">Sign in</button></div>
      </form>
    `,
    dialog,
  );
  dialog.addEventListener("close", () => (asking = false), { once: true });
  dialog.showModal();
}

const atProvider = (how) => html`
  <div class="row"><button class="main" @click=${() => begin(how)}>Sign in at ${new URL(how.authorize).host}</button></div>
  <p>Or with a token:</p>
`;
