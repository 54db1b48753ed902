/** Who is at work, on what, and when they were last heard of. */

import { IDLE_AFTER, atWork } from "./derive.js";
import { find, h, keyed, set, text } from "./dom.js";
import { ago, number } from "./format.js";
import { taskAddress } from "./router.js";

const SHOWN = 12;

/**
 * Show the panel.
 * @param {Element} root
 * @param {() => number} now the server's time
 */
export function agentsView(root, now) {
  const list = find("ul", root);
  const count = find(".count", root);
  const empty = h("p", { class: "empty" }, "No agent is at work.");
  const more = h("p", { class: "empty" });
  root.append(empty, more);

  function draw(state) {
    const agents = atWork(state);
    text(count, agents.length ? number(agents.length) : "");
    empty.hidden = agents.length > 0;
    more.hidden = agents.length <= SHOWN;
    text(more, `and ${number(agents.length - SHOWN)} more`);
    keyed(list, agents.slice(0, SHOWN), (agent) => agent.taskId, create, update);
  }

  function create(agent) {
    return h("li", { class: "agent" },
      h("span", { class: "beat" }),
      h("span", { class: "agent-name" }), h("time", {}),
      h("a", { href: taskAddress(agent.taskId) }),
      h("span", { class: "agent-doing" }));
  }

  function update(row, agent) {
    const [, name, time, link, doing] = row.children;
    text(name, agent.name);
    set(time, "datetime", agent.lastHeartbeat);
    text(link, agent.taskTitle);
    text(doing, [agent.phase, agent.activity === agent.taskTitle ? null : agent.activity].filter(Boolean).join(" · "));
    age(row);
  }

  function age(row) {
    const time = find("time", row);
    const silent = now() - Date.parse(time.dateTime);
    set(row, "data-idle", silent > IDLE_AFTER);
    set(row.firstElementChild, "title", silent > IDLE_AFTER ? "Idle" : "Active");
    text(time, ago(time.dateTime, now()));
  }

  const view = (state, before) => {
    if (state.agents !== before.agents || state.tasks !== before.tasks) draw(state);
  };
  return Object.assign(view, { tick: () => [...list.children].forEach(age) });
}
