/** The dependencies of streams as a drawing: what is needed stands left of what needs it. */

import { orderedStreams } from "./derive.js";
import { find, s, set } from "./dom.js";
import { layered } from "./layers.js";
import { STATUS_NAMES } from "./format.js";

const NODE = { width: 168, height: 46, gapX: 56, gapY: 14, margin: 4 };

/** Above this many streams with dependencies a drawing explains nothing any more. */
const MOST = 60;

const NAME_LENGTH = 22;

/**
 * Draw the graph; hidden while no stream needs another.
 * @param {Element} root
 * @param {(streamId: string) => void} showStream called when somebody chooses a stream
 */
export function graphView(root, showStream) {
  const place = find(".graph-scroll", root);
  let drawn = "";

  function draw(state) {
    const nodes = nodesOf(orderedStreams(state));
    const edges = nodes.reduce((sum, node) => sum + node.needs.length, 0);
    root.hidden = !edges || nodes.length > MOST;
    const signature = JSON.stringify(nodes);
    if (root.hidden || signature === drawn) return;
    drawn = signature;
    place.replaceChildren(drawing(nodes, showStream));
  }

  return (state, before) => {
    if (state.streams !== before.streams) draw(state);
  };
}

/** The streams that need others or are needed, and what is needed but not there. */
function nodesOf(streams) {
  const byId = new Map(streams.map((stream) => [stream.id, stream]));
  const needed = new Set(streams.flatMap((stream) => stream.dependencies));
  const missing = [...needed].filter((id) => !byId.has(id)).map((id) => ({ id, name: id, status: "missing", needs: [], done: 0, text: "does not exist" }));
  const joined = streams.filter((stream) => stream.dependencies.length || needed.has(stream.id));
  return [...missing, ...joined.map(nodeOf)];
}

function nodeOf(stream) {
  const waiting = stream.status === "pending" && stream.waitsFor.length;
  return {
    id: stream.id,
    name: stream.name,
    status: stream.status,
    needs: stream.dependencies,
    done: stream.total ? stream.completed / stream.total : 0,
    text: `${waiting ? "Waiting" : STATUS_NAMES[stream.status]} · ${stream.completed}/${stream.total}`,
  };
}

function drawing(nodes, showStream) {
  const layers = layered(nodes);
  const places = placed(layers);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const tallest = Math.max(...layers.map((layer) => layer.length));
  const width = layers.length * (NODE.width + NODE.gapX) - NODE.gapX + 2 * NODE.margin;
  const height = tallest * (NODE.height + NODE.gapY) - NODE.gapY + 2 * NODE.margin;
  const edges = nodes.flatMap((node) => node.needs.filter((id) => places.has(id)).map((id) => edge(places, byId.get(id), node)));
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "graph-drawing" },
    ...edges, ...nodes.map((node) => box(node, places.get(node.id), showStream)));
}

/** The upper left corner of each node; short layers are centred. */
function placed(layers) {
  const tallest = Math.max(...layers.map((layer) => layer.length));
  const places = new Map();
  layers.forEach((layer, column) => layer.forEach((id, row) => places.set(id, {
    x: NODE.margin + column * (NODE.width + NODE.gapX),
    y: NODE.margin + (row + (tallest - layer.length) / 2) * (NODE.height + NODE.gapY),
  })));
  return places;
}

function edge(places, from, to) {
  const [start, end] = [places.get(from.id), places.get(to.id)];
  const [x1, y1] = [start.x + NODE.width, start.y + NODE.height / 2];
  const [x2, y2] = [end.x, end.y + NODE.height / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  const path = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 6} ${y2}m-5-4 6 4-6 4`;
  return s("path", { class: "edge", "data-status": from.status, d: path });
}

function box(node, { x, y }, showStream) {
  const label = `${node.name}: ${node.text}`;
  const group = s("g", { class: "node", "data-status": node.status, transform: `translate(${x} ${y})`, role: "button", tabindex: 0, "aria-label": label },
    s("title", {}, label),
    s("rect", { width: NODE.width, height: NODE.height, rx: 8 }),
    s("text", { x: 12, y: 19, class: "node-name" }, shortened(node.name)),
    s("text", { x: 12, y: 34, class: "node-text" }, shortened(node.text)),
    s("rect", { class: "node-track", x: 12, y: NODE.height - 6, width: NODE.width - 24, height: 2.5, rx: 1.25 }),
    s("rect", { class: "node-done", x: 12, y: NODE.height - 6, width: (NODE.width - 24) * node.done, height: 2.5, rx: 1.25 }));
  const choose = () => node.status !== "missing" && showStream(node.id);
  group.addEventListener("click", choose);
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  });
  set(group, "data-id", node.id);
  return group;
}

function shortened(name) {
  const letters = [...name];
  return letters.length > NAME_LENGTH ? `${letters.slice(0, NAME_LENGTH - 1).join("")}…` : name;
}
