/** Where the nodes of a graph of dependencies stand: in layers from left to right, what is needed first. */

/**
 * Place nodes in layers and order each layer so that edges cross little.
 *
 * A node stands one layer behind the last of what it needs; an edge that closes a circle leads back. An edge over
 * several layers has a bend in each layer between, which takes a place there: edges do not run through nodes. Needs
 * that are no node are ignored.
 * @param {{id: string, needs: string[]}[]} nodes ids are distinct
 * @returns {{layers: string[][], edges: {from: string, to: string, way: string[]}[], bends: Set<string>}} the places of
 *   each layer from top to bottom, and through which of them each edge leads, its ends included
 */
export function layered(nodes) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const depth = depths(byId);
  const layers = [];
  for (const { id } of nodes) (layers[depth.get(id)] ??= []).push(id);
  const bends = new Set();
  const edges = nodes.flatMap(({ id, needs }) =>
    needs.filter((need) => byId.has(need) && need !== id).map((need) => edge(need, id, depth, layers, bends)));
  return { layers: ordered(layers, edges), edges, bends };
}

function edge(from, to, depth, layers, bends) {
  const way = [from];
  for (let layer = depth.get(from) + 1; layer < depth.get(to); layer += 1) {
    const bend = `${layer}\n${from}\n${to}`;
    bends.add(bend);
    layers[layer].push(bend);
    way.push(bend);
  }
  return { from, to, way: [...way, to] };
}

/** The longest way from a node that needs nothing, without recursion: a chain may be long. */
function depths(byId) {
  const depth = new Map();
  const open = new Set();
  for (const start of byId.keys()) {
    const stack = [start];
    while (stack.length) {
      const id = stack.at(-1);
      open.add(id);
      const needs = byId.get(id).needs.filter((need) => byId.has(need) && need !== id);
      const next = needs.find((need) => !depth.has(need) && !open.has(need));
      if (next !== undefined) {
        stack.push(next);
        continue;
      }
      if (!depth.has(id)) depth.set(id, 1 + Math.max(-1, ...needs.map((need) => depth.get(need) ?? -1)));
      open.delete(id);
      stack.pop();
    }
  }
  return depth;
}

/** Sort each layer by the middle of its neighbours, forth and back a few times. */
function ordered(layers, edges) {
  const [before, after] = [new Map(), new Map()];
  for (const { way } of edges) {
    for (let step = 1; step < way.length; step += 1) {
      note(before, way[step], way[step - 1]);
      note(after, way[step - 1], way[step]);
    }
  }
  const place = new Map();
  for (const layer of layers) settle(layer, place);
  for (let round = 0; round < 4; round += 1) {
    for (let index = 1; index < layers.length; index += 1) arrange(layers[index], before, place);
    for (let index = layers.length - 2; index >= 0; index -= 1) arrange(layers[index], after, place);
  }
  return layers;
}

function note(map, key, value) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(value);
}

function arrange(layer, neighbours, place) {
  const middle = new Map();
  for (const id of layer) {
    const places = (neighbours.get(id) ?? []).map((near) => place.get(near));
    middle.set(id, places.length ? places.reduce((sum, value) => sum + value, 0) / places.length : place.get(id));
  }
  layer.sort((a, b) => middle.get(a) - middle.get(b));
  settle(layer, place);
}

/** Note where each of a layer stands, from 0 at the top to 1: layers of different length compare. */
function settle(layer, place) {
  layer.forEach((id, position) => place.set(id, (position + 0.5) / layer.length));
}
