/** The HTTP side of the bridge: everything here only reads. Each call rejects with an Error that people can read. */

import { headers } from "./session.js";

async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { Accept: "application/json", ...headers(), ...options.headers } });
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.detail ?? `HTTP ${response.status}`), { status: response.status });
  return body;
}

function tool(name, values) {
  const headers = { "Content-Type": "application/json" };
  return ask(`/api/tools/${name}`, { method: "POST", headers, body: JSON.stringify(values) });
}

const path = encodeURIComponent;

/** Whether the bridge lets us in: null when it does, else "missing", "bad" or "scope". */
export async function refusal() {
  const { status } = await fetch("/api/events?limit=1", { headers: headers() });
  if (status === 401) return headers().Authorization ? "bad" : "missing";
  return status === 403 ? "scope" : null;
}

/** Who answers: version, workspace, epoch, seq. */
export const health = () => ask("/health");

/** The agents at work. */
export const agents = async () => (await ask("/api/activity")).activities;

/** A stream with its dependencies and tasks. */
export const stream = (id) => ask(`/api/streams/${path(id)}`);

/** What the server warns of in a stream in which nothing moves; of one that moves, nothing. */
export async function streamWarnings(id) {
  const { healthy, warnings } = await ask(`/api/streams/${path(id)}/health`);
  return healthy ? [] : warnings;
}

/** The services, and of those that somebody is connected to the rooms: `[{service, port, connections, rooms}]`. */
export async function services() {
  const { services: listed } = await ask("/api/services");
  const served = listed.filter(({ status, port, connections }) => status === "healthy" && (port !== null || connections));
  return Promise.all(served.map(async (each) => ({ ...each, rooms: each.rooms ? await rooms(each.service) : {} })));
}

/** The rooms of a service; none for who may not see them. */
async function rooms(service) {
  try {
    return (await tool("service_rooms", { service })).rooms;
  } catch (error) {
    if (error.status === 403) return {};
    throw error;
  }
}

/** A task with everything that is known of it. */
export const task = (id) => ask(`/api/tasks/${path(id)}`);

/** The checkpoints of a task, newest first. */
export const checkpoints = async (taskId) => (await tool("checkpoint_list", { taskId })).checkpoints;

/** The chain of agents that a task went through. */
export const handoffs = async (taskId) => (await tool("agent_chain_get", { taskId })).handoffs;

/** The work products of a task, in short. */
export const workProducts = (taskId) => tool("work_product_list", { taskId });

/** One work product with its content. */
export const workProduct = (id) => tool("work_product_get", { id });

/**
 * A page of the log after a number.
 * @returns {Promise<{events: import("./state.js").BridgeEvent[], next: string, after: number, head: number,
 *   gap?: {from: number, to: number}}>}
 */
export async function events(after, { limit = 1_000, topics = [] } = {}) {
  const query = new URLSearchParams({ since: String(after), limit: String(limit) });
  if (topics.length) query.set("topics", topics.join(","));
  const page = await ask(`/api/events?${query}`);
  return { ...page, events: page.events.map(eventOf), after: Number(page.next.slice(page.next.lastIndexOf(":") + 1)) };
}

/**
 * All events of some topics after a number that the log still holds, oldest first, and the number up to which it was
 * read; looks at `pages` pages of the log at most.
 * @returns {Promise<{events: import("./state.js").BridgeEvent[], after: number}>}
 */
export async function history(topics, after = 0, pages = 20) {
  const found = [];
  for (let turn = 0; turn < pages; turn += 1) {
    const page = await events(after, { topics });
    found.push(...page.events);
    after = page.after;
    if (after >= page.head) break;
  }
  return { events: found, after };
}

function eventOf({ seq, timestamp, payload }) {
  return { seq, at: timestamp, topic: payload.topic, type: payload.eventType, data: payload.data };
}
