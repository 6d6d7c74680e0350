// The keyboard: arrows among the beds, and a few keys of one letter, which can be turned off.

const KEY = "rescue-monitor.keys";

export const DESCRIBED = [
  [["Tab"], "to the next bed, card or button"],
  [["←", "→", "↑", "↓"], "among the beds of the unit"],
  [["Enter"], "open the bed or card"],
  [["Esc"], "leave a form or dialog; from a bed back to the unit"],
  [["u"], "the unit"],
  [["n", "p"], "the next or previous bed by urgency"],
  [["t"], "theme: automatic, dark, light"],
  [["?"], "this list"],
];

export const enabled = () => localStorage.getItem(KEY) !== "off";
export const enable = (on) => localStorage.setItem(KEY, on ? "on" : "off");

const typing = (target) => target.closest?.("input:not([type=radio]):not([type=checkbox]), textarea, select") !== null;

/** Listens; `on` has a handler for each of "unit", "next", "previous", "theme", "help", "back". */
export function listen(on) {
  const letters = { u: on.unit, n: on.next, p: on.previous, t: on.theme, "?": on.help };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.getElementById("dialog").open || typing(event.target)) return;
    const tile = event.target.closest?.(".tile");
    if (tile && event.key.startsWith("Arrow")) {
      moveAmong(tile, event.key);
      event.preventDefault();
    } else if (event.key === "Escape") {
      on.back();
    } else if (enabled() && letters[event.key]) {
      event.preventDefault();
      letters[event.key]();
    }
  });
}

/** To the neighbour in the direction of an arrow: along the order, or to the nearest in the row above or below. */
function moveAmong(tile, key) {
  const tiles = [...document.querySelectorAll(".tile")];
  const index = tiles.indexOf(tile);
  const box = tile.getBoundingClientRect();
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (step) {
    tiles[index + step]?.focus();
    return;
  }
  const down = key === "ArrowDown";
  const rows = tiles
    .map((one) => ({ one, at: one.getBoundingClientRect() }))
    .filter(({ at }) => (down ? at.top > box.bottom - 1 : at.bottom < box.top + 1))
    .sort(
      (a, b) =>
        Math.abs(a.at.top - box.top) - Math.abs(b.at.top - box.top) || Math.abs(a.at.left - box.left) - Math.abs(b.at.left - box.left),
    );
  rows[0]?.one.focus();
}
