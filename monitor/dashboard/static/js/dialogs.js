// The two dialogs: the keys of this page, and the token that the service may ask for.

import { html, render } from "../vendor/lit-html/lit-html.js";
import { token } from "./api.js";
import * as keys from "./keys.js";

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

/** Ask for the token, once at a time; then the page is loaded anew with it. */
export function askToken(said) {
  if (dialog.open) return;
  const send = (event) => {
    event.preventDefault();
    token.set(new FormData(event.target).get("token").trim());
    location.reload();
  };
  render(
    html`
      <h2 id="dialog-title">Sign in</h2>
      <p>${said}</p>
      <form @submit=${send}>
        <label>Token <input type="password" name="token" required autocomplete="off" /></label>
        <div class="row"><button class="main" type="submit">Sign in</button></div>
      </form>
    `,
    dialog,
  );
  dialog.showModal();
}
