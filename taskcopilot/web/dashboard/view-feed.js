/** The log as it grows: newest first, to be stopped, filtered, and looked up by number. */

import * as api from "./api.js";
import { find, h, keyed, set, text } from "./dom.js";
import { number, plural, timeOfDay } from "./format.js";
import { eventFilter } from "./patterns.js";
import { isOurs } from "./reduce.js";
import { taskAddress } from "./router.js";
import { sentence } from "./sentences.js";

/** Rows that are in the page; the feed itself keeps more, and the log all. */
const ROWS = 120;

/** Events that are read around a number that somebody jumps to. */
const AROUND = 30;

/**
 * Show the panel.
 * @param {Element} root
 * @param {() => void} redraw asks for the view to be called again
 */
export function feedView(root, redraw) {
  const [list, note, count] = [find(".feed", root), find(".feed-note", root), find(".count", root)];
  const [pause, typed, jump, field] = ["#feed-pause", "#feed-filter", "#feed-jump", "#feed-seq"].map((name) => find(name, root));
  let frozen = null;
  let place = null;
  let drawn = null;

  pause.addEventListener("click", () => (frozen || place ? goOn() : change(() => (frozen = drawn.feed))));
  typed.addEventListener("input", () => change());
  jump.addEventListener("submit", (event) => {
    event.preventDefault();
    jumpTo(field.value.trim().replace(/^#/, ""));
  });

  function change(act = () => {}) {
    act();
    drawn = { ...drawn, feed: null };
    redraw();
  }

  function goOn() {
    field.value = "";
    change(() => (frozen = place = null));
  }

  async function jumpTo(wanted) {
    if (!/^[1-9][0-9]{0,14}$/.test(wanted)) return tell("An event number is a whole number from 1 on.");
    try {
      const page = await api.events(Math.max(0, Number(wanted) - AROUND - 1), { limit: 2 * AROUND + 1 });
      change(() => (place = { seq: Number(wanted), events: page.events, head: page.head, gap: page.gap }));
    } catch (error) {
      tell(error.message);
    }
  }

  function tell(message) {
    note.hidden = !message;
    text(note, message);
  }

  function draw(state) {
    const source = place?.events ?? frozen ?? state.feed;
    const shown = source.filter(eventFilter(typed.value)).reverse().slice(0, place ? 2 * AROUND + 1 : ROWS);
    keyed(list, shown, (event) => String(event.seq), create, () => {});
    set(pause, "aria-pressed", Boolean(frozen || place));
    text(pause, frozen || place ? "Go on" : "Pause");
    text(count, state.seq ? `#${number(state.seq)}` : "");
    tell(noteOf(state, shown));
    if (place) mark(shown);
  }

  function noteOf(state, shown) {
    if (place) return placeNote(place, shown);
    if (frozen) return `Paused · ${plural(state.feed.filter((event) => event.seq > (frozen.at(-1)?.seq ?? 0)).length, "new event")}`;
    return shown.length || !state.ready ? "" : typed.value ? "No recent event fits the filter." : "Nothing has happened yet.";
  }

  function mark(shown) {
    const index = shown.findIndex((event) => event.seq === place.seq);
    [...list.children].forEach((row, position) => set(row, "data-marked", position === index));
    if (index < 0 || place.seen) return;
    place.seen = true;
    list.scrollTop = list.children[index].offsetTop - list.clientHeight / 3;
  }

  return (state, before) => {
    if (drawn && state.feed === before.feed && drawn.feed === state.feed && state.ready === before.ready) return;
    drawn = state;
    draw(state);
  };
}

function placeNote({ seq, head, gap, events }, shown) {
  if (events.some((event) => event.seq === seq)) {
    return shown.some((event) => event.seq === seq) ? `At event ${number(seq)} of ${number(head)}` : `Event ${number(seq)} does not fit the filter.`;
  }
  if (gap && seq <= gap.to) return `Event ${number(seq)} is older than what the log keeps.`;
  return `There is no event ${number(seq)}; the newest is ${number(head)}.`;
}

function create(event) {
  const [subject, what] = sentence(event);
  const entity = event.topic.slice(0, event.topic.indexOf(":"));
  const body = [
    h("span", { class: "event-type" }, event.type),
    h("span", { class: "event-seq" }, `#${event.seq}`),
    h("time", { datetime: event.at }, timeOfDay(event.at)),
    h("span", { class: "event-text" }, h("b", {}, subject), what ? ` ${what}` : ""),
  ];
  const taskId = isOurs(event) ? event.data.taskId : undefined;
  return h("li", { class: "event", "data-entity": entity, "data-type": event.type, "data-seq": event.seq },
    taskId ? h("a", { href: taskAddress(taskId), tabindex: -1 }, ...body) : h("span", { class: "event-body" }, ...body));
}
