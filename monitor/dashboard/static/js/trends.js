// The trends of the bed view, worked out from what the service sends; no drawing, so it can be tested.

import { columns, range, thresholdLabel, usualGap } from "./chart.js";
import { instant } from "./time.js";
import { quantity } from "./units.js";

/**
 * One row for each signal with a course in the common range of time, what is measured all the time first, then what a
 * threshold stands beside; one lane for each treatment; and the signals without a row.
 */
export function trendModel(trends, signals, now) {
  const shared = range(trends, now);
  const byName = new Map(signals.map((signal) => [signal.signal, signal]));
  const lanes = treatmentLanes(trends.treatments, shared);
  const marks = lanes.flatMap((lane) => lane.bars.map((bar) => bar.from));
  const rows = trends.series
    .filter((series) => hasCourse(series, shared[0]))
    .map((series) => row(series, byName.get(series.signal), shared, marks))
    .sort(
      (one, other) =>
        Number(one.sparse) - Number(other.sparse) || Number(other.thresholds.length > 0) - Number(one.thresholds.length > 0),
    );
  const drawn = new Set(rows.map((one) => one.key));
  return { rows, lanes, range: shared, others: signals.filter((signal) => !drawn.has(signal.signal)) };
}

/** A single value has no course; it is drawn only to be compared with a threshold. */
function hasCourse({ points, thresholds }, since) {
  const within = points.filter(([at]) => at >= since).length;
  return within > 1 || (within === 1 && thresholds.length > 0);
}

function row(series, signal, shared, marks) {
  const gap = usualGap(series.points);
  const limits = series.thresholds.map((limit) => ({ ...limit, label: thresholdLabel(limit, series.unit) }));
  return {
    key: series.signal,
    title: series.title,
    unit: series.unit,
    signal,
    kind: "signal",
    data: columns(series.points, gap),
    sparse: gap === Infinity,
    thresholds: limits,
    range: shared,
    gaps: gaps(series.points, gap, signal, shared),
    marks,
  };
}

/** Stretches in which the signal was silent, and the one since its newest value became too old. */
function gaps(points, gap, signal, [since, until]) {
  const found = [];
  points.forEach(([at], index) => {
    const before = index ? points[index - 1][0] : null;
    if (before !== null && at - before > gap) found.push([before, at]);
  });
  if (signal?.stale && signal.at) found.push([Math.max(instant(signal.at) + 1000 * (signal.stale_after ?? 0), since), until]);
  return found;
}

/** Treatments by drug, those that run now first. */
export function treatmentLanes(treatments, [since, until]) {
  const lanes = new Map();
  for (const one of treatments) {
    const from = instant(one.from);
    const once = one.to === one.from;
    const to = once ? from : (instant(one.to) ?? until);
    if (to < since || from > until) continue;
    const lane = lanes.get(one.drug) ?? { key: one.drug, title: one.title ?? one.drug, bars: [], running: false };
    const label = typeof one.rate === "number" ? quantity(one.rate, one.unit) : one.kind === "infusion" ? "rate not known" : "";
    lane.bars.push({ from: Math.max(from, since), to, once, label, text: one });
    lane.running ||= !once && one.to === null;
    lanes.set(one.drug, lane);
  }
  const all = [...lanes.values()];
  for (const lane of all) lane.bars.sort((one, other) => one.from - other.from);
  return all.sort((one, other) => Number(other.running) - Number(one.running) || one.title.localeCompare(other.title));
}
