// Node `ws` in the original's style: for every event and client, match its patterns, JSON.stringify, send.
// node node_ws.mjs DIRECTORY-OF-NODE_MODULES EVENT-TEMPLATE

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [directory, template] = process.argv.slice(2);
const { WebSocketServer } = createRequire(`${directory}/`)("ws");
const event = JSON.parse(template);

const clients = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/ws", perMessageDeflate: false, backlog: 1024 });

server.on("connection", (socket) => {
  clients.set(socket, new Set());
  socket.on("close", () => clients.delete(socket));
  socket.on("message", (text) => {
    const { payload } = JSON.parse(text);
    payload.topics.forEach((topic) => clients.get(socket).add(topic));
    socket.send(JSON.stringify({ type: "subscribed", payload }));
  });
});

function matches(pattern, topic) {
  if (pattern === "*" || pattern === topic) return true;
  const [entity, id] = pattern.split(":");
  const [topicEntity, topicId] = topic.split(":");
  return (entity === "*" || entity === topicEntity) && (id === "*" || id === topicId);
}

let number = 100000;

function publish() {
  event.seq = ++number;
  event.payload.data.t = process.hrtime.bigint().toString().padStart(18, "0");
  for (const [socket, patterns] of clients) {
    if (socket.readyState !== 1) continue;
    for (const pattern of patterns) {
      if (matches(pattern, event.payload.topic)) {
        socket.send(JSON.stringify(event));
        break;
      }
    }
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const commands = {
  async burst({ count, turn: size }) {
    const began = Number(process.hrtime.bigint());
    for (let at = 0; at < count; at += size) {
      for (let step = 0; step < Math.min(size, count - at); step++) publish();
      await turn();
    }
    return { began };
  },
  async paced({ count, rate }) {
    const began = performance.now();
    for (let step = 0; step < count; step++) {
      const wait = began + (step * 1000) / rate - performance.now();
      if (wait > 0) await pause(wait);
      publish();
    }
    return { took: (performance.now() - began) / 1000 };
  },
};

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
server.on("listening", () => say({ pid: process.pid, port: server.address().port }));
createInterface({ input: process.stdin }).on("line", async (line) => {
  const command = JSON.parse(line);
  say(await commands[command.do](command));
});
