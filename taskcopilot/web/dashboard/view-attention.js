/** What somebody should look at, with the reason in plain sight. */

import { attention } from "./derive.js";
import { find, h, keyed, set, text } from "./dom.js";
import { number } from "./format.js";
import { taskAddress } from "./router.js";

const SHOWN = 8;

/**
 * Show the panel.
 * @param {Element} root
 * @param {(streamId: string) => void} showStream called for what is about a whole stream
 */
export function attentionView(root, showStream) {
  const list = find("ul", root);
  const count = find(".count", root);
  const more = h("button", { type: "button", class: "button more" });
  let most = SHOWN;
  let latest = null;
  root.append(more);
  more.addEventListener("click", () => {
    most = Infinity;
    draw(latest);
  });

  function draw(state) {
    latest = state;
    const found = attention(state);
    root.hidden = !state.tasks.size;
    set(root, "data-quiet", !found.length);
    text(count, found.length ? number(found.length) : "");
    const calm = { key: "calm", kind: "calm", title: "Nothing is blocked", reason: "No task waits for help." };
    keyed(list, found.length ? found.slice(0, most) : [calm], ({ key, reason, title }) => `${key} ${title} ${reason}`, create, () => {});
    more.hidden = found.length <= most;
    text(more, `Show all ${number(found.length)}`);
  }

  function create(item) {
    const body = [
      h("span", { class: "attention-title" }, item.title),
      h("span", { class: "attention-reason" }, item.reason),
      item.streamName ? h("span", { class: "attention-stream" }, item.streamName) : null,
    ];
    return h("li", { "data-kind": item.kind }, h("span", { class: "dot", "aria-hidden": "true" }), entrance(item, body));
  }

  function entrance(item, body) {
    if (item.taskId) return h("a", { href: taskAddress(item.taskId) }, ...body);
    if (!item.streamId) return h("p", {}, ...body);
    const button = h("button", { type: "button" }, ...body);
    button.addEventListener("click", () => showStream(item.streamId));
    return button;
  }

  return (state, before) => {
    if (state.tasks !== before.tasks || state.streams !== before.streams) draw(state);
  };
}
