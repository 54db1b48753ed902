/** The first thing to read: how far the run is, and how fast it goes. */

import { STATUSES, orderedStreams, totals } from "./derive.js";
import { find, h, property, set, text } from "./dom.js";
import { STATUS_NAMES, number, plural } from "./format.js";
import { sumOver, upTo } from "./rates.js";
import { plot, sparkline } from "./spark.js";

const MINUTE = 60_000;

/** The order of the parts of the bar: what is done comes first. */
const PARTS = ["completed", "in_progress", "blocked", "pending"];

/**
 * Show the overview.
 * @param {Element} root
 * @param {() => number} now the server's time
 * @param {() => number[]} latencies of the newest pings, in milliseconds
 */
export function overviewView(root, now, latencies) {
  const percent = h("strong", { class: "percent" });
  const headline = h("p", { class: "headline" });
  const bar = h("div", { class: "segments", role: "img" }, ...PARTS.map((status) => h("span", { "data-status": status })));
  const legend = h("ul", { class: "legend" }, ...STATUSES.map(legendItem));
  const tiles = {
    events: tile("Events per minute", "Events in the last five minutes"),
    completed: tile("Done in 5 min", "Tasks done in the last five minutes"),
    latency: tile("Round trip", "Round trip to the server"),
  };
  const progress = h("div", { class: "progress-card card" }, percent, h("div", { class: "progress-text" }, headline, bar, legend));
  root.append(progress, ...Object.values(tiles).map((each) => each.element));

  return (state, before) => {
    if (state.tasks !== before.tasks || state.streams !== before.streams || state.agents !== before.agents) {
      showProgress(state);
    }
    showTiles(state);
  };

  function showProgress(state) {
    const { counts, counting, done } = totals(state);
    text(percent, `${done}%`);
    text(headline, state.ready ? headlineOf(state, counts, counting) : "Reading the state of the run …");
    for (const part of bar.children) {
      part.hidden = !counts[part.dataset.status];
      property(part, "--share", counts[part.dataset.status]);
    }
    set(bar, "aria-label", `${done} percent done`);
    for (const item of legend.children) {
      const count = counts[item.dataset.status];
      text(find("b", item), number(count));
      item.hidden = item.dataset.status === "cancelled" && !count;
    }
    document.title = state.tasks.size ? `${done}%${counts.blocked ? ` · ${counts.blocked} blocked` : ""} · Task Copilot` : "Task Copilot";
  }

  function showTiles(state) {
    const rates = upTo(state.rates, now());
    const atLeast = (milliseconds) => (state.countedFrom > now() - milliseconds ? "+" : "");
    tiles.events.show(number(sumOver(rates.events, MINUTE)) + atLeast(MINUTE), rates.events);
    tiles.completed.show(number(sumOver(rates.completed, 5 * MINUTE)) + atLeast(5 * MINUTE), rates.completed);
    const trips = latencies();
    tiles.latency.show(trips.length ? `${Math.max(1, Math.round(trips.at(-1)))} ms` : "–", trips);
  }
}

function headlineOf(state, counts, counting) {
  if (!state.tasks.size) return "No tasks yet. They appear here the moment an agent creates one.";
  const streams = orderedStreams(state);
  const parts = [`${number(counts.completed)} of ${plural(counting, "task")} done`];
  if (streams.length) parts.push(`${streams.filter((each) => each.status === "completed").length} of ${plural(streams.length, "stream")} complete`);
  parts.push(counts.blocked ? `${number(counts.blocked)} blocked` : "nothing blocked");
  return parts.join(" · ");
}

function legendItem(status) {
  return h("li", { "data-status": status }, h("span", { class: "dot" }), `${STATUS_NAMES[status]} `, h("b", {}, "0"));
}

function tile(name, label) {
  const value = h("strong", {}, "–");
  const chart = sparkline(label);
  return {
    element: h("div", { class: "tile card" }, h("span", { class: "tile-name" }, name), value, chart),
    show(shown, values) {
      text(value, shown);
      plot(chart, values);
    },
  };
}
