/** Streams as progress bars, by phase. */

import { listed, orderedStreams } from "./derive.js";
import { find, h, keyed, property, set, text } from "./dom.js";
import { STATUS_NAMES, number, plural } from "./format.js";

const PHASE_NAMES = { foundation: "Foundation", parallel: "Parallel", integration: "Integration" };
const SHOWN = 12;

/**
 * Show the panel.
 * @param {Element} root
 * @param {(streamId: string) => void} showStream called when somebody chooses a stream
 */
export function streamsView(root, showStream) {
  const groups = find(".streams", root);
  const count = find(".count", root);
  const unfolded = new Set();

  function draw(state) {
    const streams = orderedStreams(state);
    root.hidden = !streams.length;
    text(count, streams.length ? `${streams.filter((each) => each.status === "completed").length} / ${number(streams.length)}` : "");
    const phases = Object.keys(PHASE_NAMES)
      .map((phase) => ({ phase, streams: streams.filter((stream) => stream.phase === phase) }))
      .filter((group) => group.streams.length);
    keyed(groups, phases, (group) => group.phase, createGroup, updateGroup);
  }

  function createGroup({ phase }) {
    const more = h("button", { type: "button", class: "button more", hidden: true });
    const group = h("section", { class: "phase", "aria-label": PHASE_NAMES[phase] },
      h("h3", {}, PHASE_NAMES[phase]), h("ul", { class: "stream-list" }), more);
    more.addEventListener("click", () => {
      unfolded.add(phase);
      updateGroup(group, group.shown);
    });
    return group;
  }

  function updateGroup(group, shown) {
    group.shown = shown;
    const most = unfolded.has(shown.phase) ? Infinity : SHOWN;
    keyed(find("ul", group), shown.streams.slice(0, most), (stream) => stream.id, createRow, updateRow);
    const more = group.lastElementChild;
    more.hidden = shown.streams.length <= most;
    text(more, `Show ${plural(shown.streams.length - SHOWN, "more stream")}`);
  }

  function createRow(stream) {
    const button = h("button", { type: "button", class: "stream" },
      h("span", { class: "stream-name" }), h("span", { class: "chip" }), h("span", { class: "stream-count" }),
      h("span", { class: "bar" }, h("span", { "data-status": "completed" }), h("span", { "data-status": "in_progress" }), h("span", { "data-status": "blocked" })),
      h("span", { class: "stream-note" }));
    button.addEventListener("click", () => showStream(stream.id));
    return h("li", {}, button);
  }

  return (state, before) => {
    if (state.streams !== before.streams || state.tasks !== before.tasks) draw(state);
  };
}

function updateRow(row, stream) {
  const [name, chip, count, bar, note] = row.firstElementChild.children;
  set(row, "data-status", stream.status);
  text(name, stream.name);
  text(chip, statusName(stream));
  set(chip, "data-status", stream.status);
  text(count, `${stream.completed} / ${stream.total}`);
  property(bar, "--total", Math.max(1, stream.total));
  const counts = [stream.completed, stream.inProgress, stream.blocked];
  [...bar.children].forEach((part, index) => property(part, "--share", counts[index]));
  text(note, noteOf(stream));
}

/** Between two tasks a stream is idle: it began, and nobody is at work on it. */
export function statusName(stream) {
  if (stream.status !== "pending") return STATUS_NAMES[stream.status];
  if (stream.waitsFor.length) return "Waiting";
  return stream.completed ? "Idle" : STATUS_NAMES.pending;
}

/** What holds a stream, or what it costs. */
function noteOf(stream) {
  if (stream.blockedReasons.length) return listed(stream.blockedReasons);
  if (stream.status !== "completed" && stream.waitsFor.length) return `Waits for ${listed(stream.waitsFor.map((needed) => needed.name))}`;
  if (stream.warnings.length) return stream.warnings.join(" · ");
  if (stream.tokenBudget) return `${number(stream.tokenUsage)} of ${number(stream.tokenBudget)} tokens`;
  return "";
}
