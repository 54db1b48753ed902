/** The page of a task: a drawer with all that is known of it. It reads again when something is said about the task. */

import * as api from "./api.js";
import { reasonOf, waitsFor } from "./derive.js";
import { find, h, set, text } from "./dom.js";
import { STATUS_NAMES, dateAndTime } from "./format.js";
import { leaveTask, onTask } from "./router.js";
import * as sections from "./task-sections.js";

/** Milliseconds that pass between a change and the reading of it: changes come in groups. */
const READ_AFTER = 250;

/**
 * Show the drawer while the address names a task.
 * @param {HTMLDialogElement} drawer
 * @param {import("./store.js").Store} store
 */
export function taskView(drawer, store) {
  let open = null;
  const close = h("button", { type: "button", class: "icon-button close", "aria-label": "Close" }, "✕");
  const body = h("div", { class: "drawer-body" });
  drawer.append(h("header", { class: "drawer-head" }, h("div", { class: "drawer-where" }), close), body);
  close.addEventListener("click", leaveTask);

  onTask((id) => {
    if (!id) return shut();
    open = { id, from: open?.from ?? document.activeElement, seq: -1, timer: 0, details: null, past: { events: [], after: 0 } };
    body.replaceChildren(h("p", { class: "empty" }, "Reading …"));
    if (!drawer.open) drawer.show();
    drawer.scrollTop = 0;
    close.focus({ preventScroll: true });
    read(open);
  });

  function shut() {
    if (!open) return;
    clearTimeout(open.timer);
    const { id, from } = open;
    open = null;
    drawer.close();
    const card = document.querySelector(`.card[data-task="${CSS.escape(id)}"]`);
    (from?.isConnected && from !== document.body ? from : card)?.focus({ preventScroll: true });
  }

  /** Read everything anew, of the log what is new; what arrives when another task is open already is left. */
  async function read(page) {
    page.seq = store.state.tasks.get(page.id)?.seq ?? 0;
    try {
      const [task, checkpoints, handoffs, products, { events, after }] = await Promise.all([
        api.task(page.id),
        api.checkpoints(page.id),
        api.handoffs(page.id),
        api.workProducts(page.id),
        api.history([`task:${page.id}`, `checkpoint:${page.id}`], page.past.after),
      ]);
      const known = page.past.events.at(-1)?.seq ?? 0;
      page.past = { events: [...page.past.events, ...events.filter(({ seq }) => seq > known)], after };
      page.details = { task, checkpoints, handoffs, products };
    } catch (error) {
      page.details = { error };
    }
    if (page === open) draw(page);
  }

  function draw({ id, details, past }) {
    const { state } = store;
    const known = state.tasks.get(id);
    const stream = known && state.streams.get(known.streamId);
    text(find(".drawer-where", drawer), stream ? stream.name : "Task");
    if (details.error) return body.replaceChildren(failure(id, details.error));
    const unfolded = new Set([...body.querySelectorAll("details[open]")].map((each) => each.dataset.key));
    body.replaceChildren(
      heading(details.task),
      why(known, state, stream) ?? "",
      sections.facts(details.task, stream),
      ...sections.texts(details.task),
      sections.handoffs(details.handoffs),
      sections.products(details.products, unfolded),
      sections.checkpoints(details.checkpoints),
      sections.history(past.events),
    );
  }

  /** Something was said about the task: read it again, once for a group of changes. */
  return (state) => {
    const task = open && state.tasks.get(open.id);
    if (!task || !open.details || task.seq === open.seq) return;
    open.seq = task.seq;
    clearTimeout(open.timer);
    open.timer = setTimeout(read, READ_AFTER, open);
  };
}

function heading(task) {
  return h("div", { class: "task-heading" },
    h("h2", { id: "task-title" }, task.title || task.id),
    h("p", { class: "task-line" },
      h("span", { class: "chip", "data-status": task.status }, STATUS_NAMES[task.status]),
      h("code", {}, task.id),
      h("time", { datetime: task.updatedAt }, `changed ${dateAndTime(task.updatedAt)}`)));
}

/** The answer to "why does it not move?", and what else waits because of it. */
function why(task, state, stream) {
  const reason = task && reasonOf(task, state.streams);
  if (!reason) return null;
  const box = h("div", { class: "why", "data-status": task.status, role: "note" },
    h("strong", {}, task.status === "blocked" ? "Blocked because" : "Not started because"), h("p", {}, reason));
  const waiting = stream && task.status === "blocked" ? waitingFor(stream, state.streams) : [];
  if (waiting.length) box.append(h("p", { class: "why-more" }, `Waiting for this: ${waiting.map(({ name }) => name).join(", ")}`));
  return box;
}

function waitingFor(stream, streams) {
  return [...streams.values()].filter((each) => waitsFor(each, streams).some((needed) => needed.id === stream.id));
}

function failure(id, error) {
  const gone = error.status === 404;
  const box = h("div", { class: "why", "data-status": "blocked" },
    h("h2", { id: "task-title" }, gone ? "No such task" : "The task could not be read"),
    h("p", {}, gone ? `There is no task ${id}.` : error.message));
  set(box, "role", "alert");
  return box;
}
