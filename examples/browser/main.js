// The page: ?service=ws://127.0.0.1:3042&diagram=plan&user=ann
import { Channel } from "./channel.js";

const asked = new URLSearchParams(location.search);
const service = asked.get("service") ?? "ws://127.0.0.1:3042";
const diagram = asked.get("diagram") ?? "plan";
const user = asked.get("user") ?? `guest-${Math.floor(Math.random() * 1_000)}`;
const CURSOR_PAUSE = 50;

const at = (id) => document.getElementById(id);
const users = new Set();
const cursors = new Map();
let now = { version: 0, elements: [] };

const channel = new Channel(service, [`diagram:${diagram}`, `cursor:${diagram}`, `presence:${diagram}`], {
  state: (state) => {
    at("state").dataset.state = state;
    at("state").textContent = state;
    if (state === "live") enter();
  },
  gap: load,
  event: ({ event, data }) => take[event]?.(data),
});

const take = {
  "diagram.created": load,
  "diagram.updated": (data) => (data.version > now.version ? show({ ...now, ...data }) : load()),
  "cursor.moved": ({ user_id: id, position }) => {
    cursors.set(id, position);
    draw();
  },
  "user.joined": ({ user_id: id }) => {
    users.add(id);
    draw();
  },
  "user.left": ({ user_id: id }) => {
    users.delete(id);
    cursors.delete(id);
    draw();
  },
};

async function enter() {
  await load();
  await channel.publish("user.joined", { diagram_id: diagram, user_id: user, user_info: { name: user } });
}

async function load() {
  try {
    const status = await channel.request("get_diagram_status", { diagram_id: diagram });
    for (const { user_id: id } of status.users) users.add(id);
    show(status.diagram);
  } catch (error) {
    if (error.code !== "NOT_FOUND") console.warn(error.message);
  }
}

// Make the next version; when somebody else was quicker, make it again on top of theirs.
async function add() {
  const box = { id: crypto.randomUUID(), type: "rectangle", x: 20 + Math.random() * 500, y: 20 + Math.random() * 200, user };
  for (;;) {
    const next = { elements: [...(now.elements ?? []), box], version: now.version + 1 };
    try {
      await channel.publish("diagram.updated", { diagram_id: diagram, ...next });
      return show({ ...now, ...next });
    } catch (error) {
      if (error.code !== "CONFLICT") throw error;
      await load();
    }
  }
}

function show(next) {
  now = next;
  draw();
}

function draw() {
  at("version").textContent = now.version;
  at("users").textContent = [...users].join(", ");
  at("board").replaceChildren(
    ...(now.elements ?? []).map(({ id, x, y, user: whose }) => placed("box", x, y, whose ?? id)),
    ...[...cursors].map(([id, { x, y }]) => placed("cursor", x, y, `\u2190 ${id}`)),
  );
}

function placed(kind, x, y, text) {
  const element = document.createElement("div");
  element.className = kind;
  element.style.left = `${x}px`;
  element.style.top = `${y}px`;
  element.textContent = text;
  return element;
}

let moved = 0;
at("board").addEventListener("pointermove", ({ offsetX: x, offsetY: y, timeStamp }) => {
  if (timeStamp - moved < CURSOR_PAUSE || at("state").dataset.state !== "live") return;
  moved = timeStamp;
  channel.publish("cursor.moved", { diagram_id: diagram, user_id: user, position: { x, y } }).catch(() => {});
});
at("add").addEventListener("click", () => add().catch((error) => console.warn(error.message)));
