// Units and numbers for people: what UCUM writes in code, as it is written at the bedside.

const NAMES = {
  "mm[Hg]": "mmHg",
  "cm[H2O]": "cmH₂O",
  Cel: "°C",
  "[pH]": "",
  "{score}": "",
  1: "",
  "10*9/L": "×10⁹/L",
  "U/min": "U/min",
};

/** A UCUM unit as people write it. */
export function unitName(unit) {
  if (!unit) return "";
  return NAMES[unit] ?? unit.replace(/\bug\b/g, "µg").replace("m2", "m²");
}

/** A number with at most three significant places after the point, without trailing zeros. */
export const numberText = (value) => new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 4 }).format(value);

/** A value with its unit. */
export const quantity = (value, unit) => [numberText(value), unitName(unit)].filter(Boolean).join(" ");
