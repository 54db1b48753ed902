/** Tasks as cards in columns, one for each status. */

import { STATUSES, board, reasonOf } from "./derive.js";
import { find, h, keyed, set, text } from "./dom.js";
import { STATUS_NAMES, dateAndTime, number, plural, shortAgo } from "./format.js";
import { arrows } from "./keyboard.js";
import { taskAddress } from "./router.js";

/** Cards of a column at first, and with every "show more". */
const PAGE = 25;
const NARROW_PAGE = 6;

const EMPTY = "There are no tasks yet. Agents make them with the tool task_create; you can too: taskcopilot task create \"First task\"";

/**
 * Show the board.
 * @param {Element} root
 * @param {import("./filter.js").Filter} filter
 * @param {() => number} now the server's time
 */
export function boardView(root, filter, now) {
  const place = find(".board", root);
  const count = find(".count", root);
  const page = matchMedia("(max-width: 719px)").matches ? NARROW_PAGE : PAGE;
  const columns = new Map(STATUSES.map((status) => [status, column(status)]));
  const empty = h("p", { class: "empty", hidden: true });
  place.append(...[...columns.values()].map((each) => each.element));
  root.append(empty);
  let [latest, shownFilter] = [null, ""];
  arrows(place, ".card");

  function column(status) {
    const list = h("ul", { class: "cards" });
    const total = h("span", { class: "count" });
    const more = h("button", { type: "button", class: "button more", hidden: true });
    const heading = h("h3", { id: `column-${status}` }, h("span", { class: "dot" }), STATUS_NAMES[status]);
    const element = h("section", { class: "column", "data-status": status, "aria-labelledby": heading.id },
      h("header", {}, heading, total), list, more);
    const self = { element, list, total, more, most: page };
    more.addEventListener("click", () => {
      self.most += 2 * PAGE;
      draw(latest);
    });
    return self;
  }

  function draw(state) {
    latest = state;
    const wanted = filter.value;
    const tasks = board(state, wanted);
    const focused = document.activeElement?.dataset?.task;
    let shown = 0;
    for (const [status, each] of columns) {
      fill(each, tasks[status], state);
      each.element.hidden = status === "cancelled" && !tasks[status].length;
      shown += tasks[status].length;
    }
    text(count, shown === state.tasks.size ? number(shown) : `${number(shown)} of ${number(state.tasks.size)}`);
    tell(state, shown);
    if (focused && document.activeElement === document.body) find(".board").querySelector(`[data-task="${CSS.escape(focused)}"]`)?.focus();
  }

  function fill({ list, total, more, most }, tasks, state) {
    text(total, number(tasks.length));
    const cards = tasks.slice(0, most).map((task) => cardOf(task, state));
    keyed(list, cards, (card) => card.task.id, create, update);
    more.hidden = tasks.length <= most;
    text(more, `Show more of ${plural(tasks.length - most, "task")}`);
  }

  /** The same object for the same facts: `keyed` then leaves the card alone. */
  const known = new WeakMap();
  function cardOf(task, state) {
    const [reason, streamName] = [reasonOf(task, state.streams), state.streams.get(task.streamId)?.name ?? null];
    const before = known.get(task);
    if (before && before.reason === reason && before.streamName === streamName) return before;
    const card = { task, reason, streamName };
    known.set(task, card);
    return card;
  }

  function tell(state, shown) {
    empty.hidden = shown > 0;
    place.hidden = !shown;
    text(empty, state.tasks.size ? "No task fits the search." : state.ready ? EMPTY : "Reading …");
  }

  function create({ task }) {
    return h("li", {}, h("a", { class: "card", href: taskAddress(task.id), "data-task": task.id, tabindex: -1 },
      h("span", { class: "card-title" }), h("span", { class: "card-reason" }), h("span", { class: "card-foot" },
        h("span", { class: "card-stream" }), h("span", { class: "card-agent" }), h("time", {}))));
  }

  function update(item, { task, reason, streamName }) {
    const [title, why, foot] = item.firstElementChild.children;
    const [stream, agent, time] = foot.children;
    text(title, task.title || task.id);
    text(why, reason);
    text(stream, streamName);
    text(agent, task.agent);
    set(time, "datetime", task.updatedAt);
    set(time, "title", `Changed ${dateAndTime(task.updatedAt)}`);
    text(time, shortAgo(task.updatedAt, now()));
  }

  /** Let the times of the cards go on. */
  function tick() {
    for (const time of place.querySelectorAll("time")) text(time, shortAgo(time.dateTime, now()));
  }

  const view = (state, before) => {
    const wanted = JSON.stringify(filter.value);
    if (state.tasks === before.tasks && state.streams === before.streams && wanted === shownFilter && latest) return;
    if (wanted !== shownFilter) for (const each of columns.values()) each.most = page;
    shownFilter = wanted;
    draw(state);
  };
  return Object.assign(view, { tick });
}
