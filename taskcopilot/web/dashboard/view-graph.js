/** The dependencies of streams as a drawing: what is needed stands left of what needs it. */

import { orderedStreams } from "./derive.js";
import { find, s, set } from "./dom.js";
import { layered } from "./layers.js";
import { statusName } from "./view-streams.js";

const NODE = { width: 168, height: 46, bend: 10, gapX: 48, widest: 120, gapY: 12, margin: 4 };

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
  let [nodes, drawn, room] = [[], "", 0];
  new ResizeObserver(([entry]) => {
    room = entry.contentRect.width;
    draw();
  }).observe(place);

  function draw() {
    const edges = nodes.reduce((sum, node) => sum + node.needs.length, 0);
    root.hidden = !edges || nodes.length > MOST;
    const signature = JSON.stringify([nodes, room]);
    if (root.hidden || !room || signature === drawn) return;
    drawn = signature;
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
    place.replaceChildren(drawing(nodes, room, showStream));
    if (focused !== undefined) place.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  return (state, before) => {
    if (state.streams === before.streams) return;
    nodes = nodesOf(orderedStreams(state));
    draw();
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
  return {
    id: stream.id,
    name: stream.name,
    status: stream.status,
    needs: stream.dependencies,
    done: stream.total ? stream.completed / stream.total : 0,
    text: `${statusName(stream)} · ${stream.completed}/${stream.total}`,
  };
}

function drawing(nodes, room, showStream) {
  const { layers, edges, bends } = layered(nodes);
  const { places, width, height } = placed(layers, bends, room);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "graph-drawing" },
    ...edges.map((edge) => line(edge, places, bends, byId.get(edge.from).status)),
    ...nodes.map((node) => box(node, places.get(node.id), showStream)));
}

/** The upper left corner of each place; layers are centred, and stand apart as far as there is room. */
function placed(layers, bends, room) {
  const heightOf = (id) => (bends.has(id) ? NODE.bend : NODE.height);
  const tall = (layer) => layer.reduce((sum, id) => sum + heightOf(id) + NODE.gapY, -NODE.gapY);
  const height = Math.max(...layers.map(tall)) + 2 * NODE.margin;
  const spare = (room - 2 * NODE.margin - layers.length * NODE.width) / Math.max(1, layers.length - 1);
  const gap = Math.min(NODE.widest, Math.max(NODE.gapX, Math.floor(spare)));
  const places = new Map();
  layers.forEach((layer, column) => {
    let y = (height - tall(layer)) / 2;
    for (const id of layer) {
      places.set(id, { x: NODE.margin + column * (NODE.width + gap), y, middle: y + heightOf(id) / 2 });
      y += heightOf(id) + NODE.gapY;
    }
  });
  return { places, height, width: layers.length * (NODE.width + gap) - gap + 2 * NODE.margin };
}

/** A curve from the right side of one node through the bends to the left side of the other, with a head. */
function line({ way }, places, bends, status) {
  const points = way.flatMap((id, index) => {
    const { x, middle } = places.get(id);
    const [left, right] = [[x, middle], [x + NODE.width, middle]];
    if (bends.has(id)) return [left, right];
    return index ? [[x - 5, middle]] : [right];
  });
  const steps = points.slice(1).map(([x, y], index) => {
    const [fromX, fromY] = points[index];
    if (y === fromY) return `L${x} ${y}`;
    const bend = Math.max(24, (x - fromX) / 2);
    return `C${fromX + bend} ${fromY} ${x - bend} ${y} ${x} ${y}`;
  });
  return s("g", { class: "edge", "data-status": status },
    s("path", { d: `M${points[0].join(" ")}${steps.join("")}` }),
    s("path", { class: "edge-head", d: `M${points.at(-1).join(" ")}m-5-4 6 4-6 4` }));
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
