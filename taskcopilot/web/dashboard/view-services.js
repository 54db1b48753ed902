/** The services of the ecosystem that run here: where they are reached, and who is in which room. */

import { find, h, keyed, set, text } from "./dom.js";
import { number, plural } from "./format.js";

/** Rooms of a service that are named. */
const ROOMS = 8;

/** Show the panel; hidden while nobody is served. */
export function servicesView(root) {
  const list = find("ul", root);

  return (state, before) => {
    if (state.services === before.services) return;
    root.hidden = !state.services.length;
    text(find(".count", root), number(state.services.length));
    keyed(list, state.services, ({ service }) => service, create, update);
  };
}

function create({ service }) {
  return h("li", { class: "service" },
    h("div", { class: "service-line" }, h("b", {}, service), h("span", { class: "service-place" }), h("span")),
    h("ul", { class: "rooms", "aria-label": `Rooms of ${service}` }));
}

function update(row, { host, port, connections, rooms }) {
  const [line, place] = row.children;
  text(line.children[1], port === null ? "" : `:${port}`);
  set(line.children[1], "title", port === null ? null : `${host}:${port}`);
  text(line.children[2], plural(connections, "connection"));
  const byCrowd = Object.entries(rooms).sort(([, a], [, b]) => b - a);
  const shown = byCrowd.slice(0, ROOMS).map(([name, count]) => `${name}\n${count}`);
  if (byCrowd.length > ROOMS) shown.push(`and ${byCrowd.length - ROOMS} more\n`);
  keyed(place, shown, (room) => room, room, () => {});
}

function room(entry) {
  const [name, count] = entry.split("\n");
  return h("li", { class: "room" }, name, count ? h("b", {}, count) : null);
}
