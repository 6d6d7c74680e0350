// Alerts and verdicts for people: which counts most, what their words and marks are, what is said aloud of a change.

/** The states in which an alert is on the board. */
export const SHOWN = new Set(["open", "acknowledged", "accepted"]);

/** The states in which an alert was taken from the board and must not be acted on. */
export const STRUCK = new Set(["withdrawn", "expired"]);

/** The marks that IEC 60601-1-8 uses on equipment. */
export const MARKS = { HIGH: "!!!", MEDIUM: "!!", LOW: "!", INFORMATION: "i" };

const RANKS = { HIGH: 0, MEDIUM: 1, LOW: 2, INFORMATION: 3 };
const STATE_RANKS = { open: 0, acknowledged: 1, accepted: 2 };

const STATE_WORDS = {
  open: "not answered",
  acknowledged: "acknowledged",
  accepted: "accepted",
  declined: "declined",
  snoozed: "snoozed",
  suppressed: "kept back",
  withdrawn: "withdrawn",
  resolved: "resolved",
  expired: "expired",
};

const VERDICT_WORDS = {
  ACTIVE: "active",
  PSEUDO: "fix first",
  INDETERMINATE: "cannot tell",
  SUSPECTED: "suspected",
  CONFIRMED: "confirmed",
  RESOLVED: "resolved",
  NOT_APPLICABLE: "does not apply",
};

const SUPPRESSION_WORDS = {
  running: "already running",
  goals: "goals of care",
  arrest: "cardiac arrest",
  rosc: "circulation has returned",
  merged: "a more urgent suggestion stands for it",
};

const GOAL_WORDS = {
  full: "full treatment",
  no_escalation: "no escalation",
  dnr: "no resuscitation",
  comfort: "comfort care",
  unknown: "goals not known",
};

const SPEAKS_UP = new Set(["raised", "reopened", "updated", "amended", "escalated"]);

const KINDS = { fix_first: ["fix", "Fix first"], obtain_data: ["data", "Data needed"] };
const OPENINGS = /^(?:Fix this first: |(Consider): |(Discuss) )/;

/**
 * What an alert asks for, which is to be seen from afar: `kind` ("fix", "data", "consider" or null for a notice that
 * only states), its `word`, and the `headline` without what the word says already.
 */
export function asksFor({ subject, headline }) {
  const [, consider, discuss] = OPENINGS.exec(headline) ?? [];
  const [kind, word] = KINDS[subject] ?? (consider || discuss ? ["consider", consider ?? discuss] : [null, ""]);
  return { kind, word, headline: kind ? headline.replace(OPENINGS, "") : headline };
}

export const stateWords = (state) => STATE_WORDS[state] ?? state;
export const goalWords = (goals) => GOAL_WORDS[goals] ?? (goals ? String(goals) : "goals not recorded");

/** Why an alert called for somebody, or does not yet, in words; empty where nothing more is to be said. */
export const attentionWords = ({ attention, delayed, cause }) =>
  delayed ? `interruption waits: ${delayed}` : attention === "asked" && cause ? `asks: ${causeWords(cause)}` : "";

/** A cause in words: those that are single words of the rules are spelt out. */
export const causeWords = (cause) => (cause ? (SUPPRESSION_WORDS[cause] ?? cause) : "");

/** The verdict on a pathway in words. */
export function verdictWords(pathway) {
  if (pathway.suppressed) return `kept back: ${causeWords(pathway.suppressed)}`;
  return VERDICT_WORDS[pathway.state] ?? pathway.state;
}

/** A verdict as an explanation writes it ("PSEUDO(infusion_interrupted)") in words; its reasons are told beside it. */
export function verdictText(verdict) {
  const [, state, cause] = /^([A-Z_]+)(?:\((.*)\))?$/.exec(verdict) ?? [];
  if (state === "SUPPRESSED") return `kept back: ${causeWords(cause)}`;
  return VERDICT_WORDS[state] ?? verdict;
}

/**
 * Order by urgency: priority, then unanswered before answered, then the nearest deadline, then what to fix first, then
 * the newest.
 */
export function byUrgency(one, other) {
  return (
    Number(one.state === "accepted") - Number(other.state === "accepted") ||
    RANKS[one.priority] - RANKS[other.priority] ||
    (STATE_RANKS[one.state] ?? 9) - (STATE_RANKS[other.state] ?? 9) ||
    ahead(deadline(one), deadline(other)) ||
    Number(other.subject === "fix_first") - Number(one.subject === "fix_first") ||
    (other.raised_at ?? "").localeCompare(one.raised_at ?? "")
  );
}

// Two that have no deadline are equal; the difference of infinities is none.
const ahead = (one, other) => (one === other ? 0 : one - other);
const deadline = (alert) => (alert.window?.state === "open" ? Date.parse(alert.window.decide_by) : Infinity);

/** The alerts on the board, most urgent first. */
export const shown = (alerts) => alerts.filter((alert) => SHOWN.has(alert.state)).sort(byUrgency);

/** What is said aloud of a change, with its priority; null for what does not interrupt. */
export function sayChange(change) {
  const { summary } = change;
  if (change.change === "withdrawn") {
    return { priority: "LOW", text: `${change.patient}: withdrawn, ${change.card?.headline ?? summary.headline}.` };
  }
  if (!change.interrupts || !SPEAKS_UP.has(change.change)) return null;
  const asked = change.asked ? ` ${change.asked.replaceAll("_", " ")} is asked.` : "";
  return {
    priority: change.priority,
    text: `${change.patient}, ${change.priority.toLowerCase()} priority: ${summary.headline}.${asked}`,
  };
}
