// Light or dark: as the system says, unless this screen was set otherwise.

const KEY = "rescue-monitor.theme";
const CHOICES = ["auto", "dark", "light"];
const dark = matchMedia("(prefers-color-scheme: dark)");

export const chosen = () => (CHOICES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto");

function apply() {
  const choice = chosen();
  document.documentElement.dataset.theme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
}

/** Follow the system, and tell `onChange` of every change. */
export function follow(onChange) {
  apply();
  dark.addEventListener("change", () => {
    apply();
    onChange();
  });
}

/** The next of automatic, dark and light. */
export function turn() {
  localStorage.setItem(KEY, CHOICES[(CHOICES.indexOf(chosen()) + 1) % CHOICES.length]);
  apply();
}
