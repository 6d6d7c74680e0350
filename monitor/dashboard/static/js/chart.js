// Trends: one small uPlot for each signal over a common time, with thresholds, treatments and stretches without data.

import uPlot from "../vendor/uplot/dist/uPlot.esm.js";
import { unitName } from "./units.js";

const LEFT = 46;
const RIGHT = 18;
const LANE = 22;
const ROW = 86;
const SPARSE_ROW = 68;
const LEGEND = 14;
const DASH = 22;
const PADDING = 6;
const AXIS = 22;
const MINUTE = 60_000;

const plots = new Map();
const measuring = document.createElement("canvas").getContext("2d");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--plot-${name}`).trim();

const sans = () => getComputedStyle(document.body).fontFamily;

const time = (splits) => splits.map((at) => clock.format(at));
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** The stretch of time that the charts share: from the first point of the last twelve hours to now. */
export function range(trends, now) {
  const earliest = now - 12 * 3_600_000;
  const firsts = trends.series.filter((one) => one.points.length > 3).map((one) => one.points[0][0]);
  const since = Math.max(earliest, Math.min(now - 60 * MINUTE, ...firsts));
  return [since, now + (now - since) * 0.01];
}

/** The points of a signal as columns; a stretch without data, longer than the signal allows, breaks the line. */
export function columns(points, gap) {
  const xs = [];
  const ys = [];
  for (const [at, value] of points) {
    const last = xs.at(-1);
    if (last !== undefined && at - last > gap) {
      xs.push(last + 1);
      ys.push(null);
    }
    xs.push(at);
    ys.push(value);
  }
  return [xs, ys];
}

/** How long a signal may be silent before its line breaks: five times its usual step, at least five minutes. */
export function usualGap(points) {
  const steps = points.slice(1).map(([at], index) => at - points[index][0]);
  if (steps.length < 10) return Infinity;
  steps.sort((one, other) => one - other);
  return Math.max(5 * MINUTE, 5 * steps[Math.floor(steps.length / 2)]);
}

/** The scale of a signal: its values and, where that does not flatten them, its thresholds. */
export function scale(values, thresholds) {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return [0, 1];
  let low = Math.min(...known);
  let high = Math.max(...known);
  const reach = Math.max(high - low, Math.abs(high) * 0.25, 1e-6);
  for (const { value } of thresholds) {
    if (value < low && low - value <= 2 * reach) low = value;
    if (value > high && value - high <= 2 * reach) high = value;
  }
  const margin = Math.max((high - low) * 0.15, Math.abs(high) * 0.02, 1e-6);
  return [low - margin, high + margin];
}

/** Draws or renews a chart in its container; `model` is what the bed view worked out. */
function draw(container, model, last) {
  const width = container.clientWidth;
  if (width === 0) return;
  const key = container.dataset.plot;
  const known = plots.get(key);
  const legend = model.kind === "lanes" ? [] : legendOf(model, width - LEFT - RIGHT);
  const said = legend.flatMap((row) => row.map(({ label }) => label)).join();
  const look = [width, document.documentElement.dataset.theme, model.kind, last, model.lanes?.length ?? 0, said].join(" ");
  if (known && known.container === container && known.look === look) {
    known.model = model;
    known.plot.setData(model.data, false);
    known.plot.setScale("x", { min: model.range[0], max: model.range[1] });
    return;
  }
  known?.plot.destroy();
  const entry = { container, look, model, legend };
  const row = (model.sparse ? SPARSE_ROW : ROW) + LEGEND * legend.length + (last ? AXIS : 0);
  const height = model.kind === "lanes" ? model.lanes.length * LANE + 8 : row;
  entry.plot = new uPlot({ ...options(entry, last), width, height }, model.data, container);
  plots.set(key, entry);
}

function options(entry, last) {
  const grid = { stroke: colour("grid"), width: 1 };
  const text = getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
  const font = `12px ${sans()}`;
  const lanes = entry.model.kind === "lanes";
  return {
    ms: 1,
    padding: [PADDING + LEGEND * entry.legend.length, RIGHT, lanes || last ? 0 : 4, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: !lanes }, drag: { x: false, y: false }, sync: { key: "bed" } },
    scales: {
      x: { time: true, auto: false, range: () => entry.model.range },
      y: { auto: false, range: () => (lanes ? [0, 1] : scale(entry.model.data[1], entry.model.thresholds)) },
    },
    axes: [
      { show: last, size: AXIS, stroke: text, font, grid, ticks: { show: false }, values: (_, splits) => time(splits), gap: 2 },
      {
        size: LEFT,
        stroke: text,
        font,
        grid: { ...grid, show: !lanes },
        ticks: { show: false },
        gap: 4,
        space: 26,
        values: (_, splits) => splits.map((value) => (lanes ? "" : String(+value.toFixed(3)))),
      },
    ],
    series: [
      {},
      {
        show: !lanes,
        stroke: colour("line"),
        width: 1.6,
        spanGaps: false,
        points: { show: entry.model.sparse, size: 6, fill: colour("line") },
      },
    ],
    hooks: {
      drawClear: [(plot) => (lanes ? drawLanes(plot, entry.model) : drawUnder(plot, entry.model))],
      draw: [(plot) => lanes || (drawThresholds(plot, entry.model), drawLegend(plot, entry.legend))],
      setCursor: [(plot) => entry.model.onCursor?.(plot.cursor.idx)],
    },
  };
}

const ratio = () => devicePixelRatio || 1;
const bounded = (plot, at) =>
  Math.min(Math.max(plot.valToPos(at, "x", true), plot.bbox.left), plot.bbox.left + plot.bbox.width);

/** Where nothing is known any more, and when treatments changed. */
function drawUnder(plot, { gaps, marks }) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("gap");
  for (const [from, to] of gaps) {
    const left = bounded(plot, from);
    ctx.fillRect(left, bbox.top, bounded(plot, to) - left, bbox.height);
  }
  ctx.strokeStyle = colour("band");
  ctx.lineWidth = ratio();
  for (const at of marks) {
    const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
    if (x <= bbox.left || x >= bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** The thresholds that lie within the scale of a chart. */
function within({ data, thresholds }) {
  const [low, high] = scale(data[1], thresholds);
  return thresholds.filter(({ value }) => value > low && value < high);
}

function drawThresholds(plot, model) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = 1.2 * ratio();
  for (const { value, local } of within(model)) {
    const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
    dash(ctx, local);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** What the lines mean, in as many rows above the chart as it takes, where it hides no value. */
function legendOf(model, width) {
  const rows = [];
  let used = Infinity;
  measuring.font = `11px ${sans()}`;
  for (const limit of within(model)) {
    const label = fitted(limit.label, width - DASH);
    const wide = DASH + measuring.measureText(label).width;
    if (used + wide > width) {
      rows.push([]);
      used = 0;
    }
    rows.at(-1).push({ local: limit.local, label, x: used });
    used += wide + 14;
  }
  return rows;
}

/** As much of a text as there is room for; all of it is told to screen readers beside the chart. */
function fitted(text, width) {
  if (measuring.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 0 && measuring.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}

function drawLegend({ ctx, bbox }, rows) {
  const scaled = ratio();
  ctx.save();
  ctx.lineWidth = 1.2 * scaled;
  ctx.font = `${11 * scaled}px ${sans()}`;
  ctx.textAlign = "left";
  ctx.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
  rows.forEach((row, index) => {
    const y = bbox.top - (5 + LEGEND * (rows.length - 1 - index)) * scaled;
    for (const { local, label, x } of row) {
      const left = bbox.left + x * scaled;
      dash(ctx, local);
      ctx.beginPath();
      ctx.moveTo(left, y - 3.5 * scaled);
      ctx.lineTo(left + (DASH - 4) * scaled, y - 3.5 * scaled);
      ctx.stroke();
      ctx.fillText(label, left + DASH * scaled, y);
    }
  });
  ctx.restore();
}

function dash(ctx, local) {
  ctx.strokeStyle = colour(local ? "local" : "threshold");
  ctx.setLineDash(local ? [2 * ratio(), 3 * ratio()] : [7 * ratio(), 4 * ratio()]);
}

/** One lane for each treatment: bars for what runs, with its rate; ticks for what was given at once. */
function drawLanes(plot, { lanes }) {
  const { ctx, bbox } = plot;
  const scaled = ratio();
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * scaled}px ${sans()}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  lanes.forEach((lane, index) => {
    const top = bbox.top + index * LANE * scaled;
    lane.bars.forEach((bar, place) => {
      const left = bounded(plot, bar.from);
      const width = Math.max(bounded(plot, bar.to) - left, 3 * scaled);
      ctx.fillStyle = colour(bar.once ? "line" : "band");
      ctx.fillRect(left, top + 2 * scaled, bar.once ? 3 * scaled : width - scaled, (LANE - 4) * scaled);
      const next = lane.bars[place + 1];
      const room = bar.once ? (next ? bounded(plot, next.from) : bbox.left + bbox.width) - left : width;
      if (bar.label && ctx.measureText(bar.label).width + 8 * scaled <= room) {
        ctx.fillStyle = colour("band-text");
        ctx.fillText(bar.label, left + (bar.once ? 6 : 4) * scaled, top + (LANE / 2) * scaled);
      }
    });
  });
  ctx.restore();
}

/** Draws all charts below a node after it was rendered; `models` are by the `data-plot` of their containers. */
export function drawAll(root, models) {
  const containers = [...root.querySelectorAll("[data-plot]")];
  containers.forEach((container, index) => {
    const model = models.get(container.dataset.plot);
    if (model) draw(container, model, index === containers.length - 1);
  });
  for (const [key, entry] of plots) {
    if (!containers.includes(entry.container)) {
      entry.plot.destroy();
      plots.delete(key);
    }
  }
}

/** What the label of a threshold says beside its line. */
export const thresholdLabel = ({ value, title, local }, unit) =>
  `${value} ${unitName(unit)} ${title}${local ? " (local)" : ""}`.replace(/ +/g, " ");
