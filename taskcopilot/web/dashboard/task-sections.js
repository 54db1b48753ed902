/** The sections of a task's page. Each is left out when there is nothing to show. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { dateAndTime, number, plural, timeOfDay, words } from "./format.js";
import { sentence } from "./sentences.js";

/** Events of the history that are shown at first. */
const SHOWN = 40;

/** Who, where, when. */
export function facts(task, stream) {
  const rows = [
    ["Agent", task.assignedAgent],
    ["Stream", stream && `${stream.name} · ${stream.completed} of ${stream.total} done`],
    ["Created", dateAndTime(task.createdAt)],
    ["Files", list(task.metadata.files)],
    ["PRD", task.prdId],
    ["Parent", task.parentId],
  ];
  return h("dl", { class: "facts" }, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

const list = (value) => (Array.isArray(value) ? value.filter((item) => typeof item === "string").join(", ") : "");

/** Description and notes. */
export function texts(task) {
  return [
    ["Description", task.description],
    ["Notes", task.notes],
  ].filter(([, value]) => value).map(([name, value]) => section(name, null, h("p", { class: "prose" }, value)));
}

/** The chain of agents. */
export function handoffs(links) {
  if (!links.length) return "";
  const items = links.map((link) => h("li", {},
    h("span", { class: "link-agents" }, h("b", {}, link.fromAgent), " → ", h("b", {}, link.toAgent)),
    h("span", { class: "muted" }, `${link.chainPosition} of ${link.chainLength} · ${dateAndTime(link.createdAt)}`),
    h("p", {}, link.handoffContext)));
  return section("Handoffs", items.length, h("ol", { class: "chain" }, ...items));
}

/** Work products; the content of one is read when it is opened. */
export function products(items, unfolded) {
  if (!items.length) return "";
  return section("Work products", items.length, ...items.map((item) => product(item, unfolded.has(item.id))));
}

function product(item, open) {
  const content = h("pre", { tabindex: 0, "aria-label": `Content of ${item.title}` }, "Reading …");
  const box = h("details", { class: "product", "data-key": item.id, open },
    h("summary", {}, h("b", {}, item.title),
      h("span", { class: "muted" }, `${words(item.type)} · ${plural(item.wordCount, "word")} · ${dateAndTime(item.createdAt)}`)),
    content);
  const read = async () => {
    if (box.open && !box.dataset.read) content.textContent = await contentOf(item.id);
    box.dataset.read = box.open ? "yes" : "";
  };
  box.addEventListener("toggle", read);
  return box;
}

async function contentOf(id) {
  try {
    return (await api.workProduct(id)).content;
  } catch (error) {
    return error.message;
  }
}

/** Places to resume from. */
export function checkpoints(items) {
  if (!items.length) return "";
  const rows = items.map((item) => h("li", {},
    h("b", {}, `#${item.sequence}`), ` ${words(item.trigger)}`,
    h("span", { class: "muted" }, [item.phase, item.step === null ? null : `step ${item.step}`, item.hasDraft && "with a draft", dateAndTime(item.createdAt)].filter(Boolean).join(" · "))));
  return section("Checkpoints", items.length, h("ul", { class: "rows" }, ...rows));
}

/** What the log still holds of the task, newest first. */
export function history(events) {
  if (!events.length) return section("History", null, h("p", { class: "muted" }, "The log holds nothing of this task any more."));
  const newest = events.filter((event) => !isRepeated(event)).reverse();
  const place = h("ol", { class: "timeline" }, ...newest.slice(0, SHOWN).map(moment));
  const box = section("History", newest.length, place);
  if (newest.length > SHOWN) {
    const more = h("button", { type: "button", class: "button more" }, `Show ${number(newest.length - SHOWN)} more`);
    more.addEventListener("click", () => {
      place.append(...newest.slice(SHOWN).map(moment));
      more.remove();
    });
    box.append(more);
  }
  return box;
}

/** An update that changed only what the events after it say better. */
function isRepeated({ type, data }) {
  return type === "task.updated" && data.changes.length > 0 && data.changes.every(({ field }) => field === "status" || field === "blockedReason");
}

function moment(event) {
  const [, what] = sentence(event);
  return h("li", { "data-type": event.type },
    h("time", { datetime: event.at, title: dateAndTime(event.at) }, timeOfDay(event.at)),
    h("span", {}, what || words(event.type.slice(event.type.indexOf(".") + 1))),
    h("span", { class: "event-seq" }, `#${event.seq}`));
}

function section(name, count, ...children) {
  return h("section", { class: "task-section" },
    h("h3", {}, name, count ? h("span", { class: "count" }, number(count)) : null), ...children);
}
