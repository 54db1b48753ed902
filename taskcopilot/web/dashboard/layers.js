/** Where the nodes of a graph of dependencies stand: in layers from left to right, what is needed first. */

/**
 * Place nodes in layers and order each layer so that edges cross little.
 *
 * A node stands one layer behind the last of what it needs; an edge that closes a circle does not count. Needs that are
 * no node are ignored.
 * @param {{id: string, needs: string[]}[]} nodes
 * @returns {string[][]} ids by layer, each from top to bottom
 */
export function layered(nodes) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const depth = depths(byId);
  const layers = [];
  for (const node of nodes) (layers[depth.get(node.id)] ??= []).push(node.id);
  return ordered(layers, byId);
}

/** The longest way from a node that needs nothing, without recursion: a chain may be long. */
function depths(byId) {
  const depth = new Map();
  const open = new Set();
  for (const start of byId.keys()) {
    const stack = [start];
    while (stack.length) {
      const id = stack.at(-1);
      const needs = byId.get(id).needs.filter((need) => byId.has(need) && need !== id);
      const next = depth.has(id) ? undefined : needs.find((need) => !depth.has(need) && !open.has(need));
      if (next !== undefined) {
        open.add(id);
        stack.push(next);
        continue;
      }
      if (!depth.has(id)) depth.set(id, Math.max(-1, ...needs.map((need) => depth.get(need) ?? -1)) + 1);
      open.delete(id);
      stack.pop();
    }
  }
  return depth;
}

/** Sort each layer by the middle of its neighbours, forth and back a few times. */
function ordered(layers, byId) {
  const neededBy = new Map();
  for (const { id, needs } of byId.values()) for (const need of needs) (neededBy.get(need) ?? neededBy.set(need, []).get(need)).push(id);
  for (let round = 0; round < 4; round += 1) {
    for (let index = 1; index < layers.length; index += 1) arrange(layers, index, (id) => byId.get(id).needs);
    for (let index = layers.length - 2; index >= 0; index -= 1) arrange(layers, index, (id) => neededBy.get(id) ?? []);
  }
  return layers;
}

function arrange(layers, index, neighboursOf) {
  const place = new Map();
  for (const layer of layers) layer.forEach((id, position) => place.set(id, (position + 0.5) / layer.length));
  const middle = new Map();
  layers[index].forEach((id) => {
    const places = neighboursOf(id).map((near) => place.get(near)).filter((value) => value !== undefined);
    middle.set(id, places.length ? places.reduce((sum, value) => sum + value, 0) / places.length : place.get(id));
  });
  layers[index].sort((a, b) => middle.get(a) - middle.get(b));
}
