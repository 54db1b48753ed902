/**
 * Keeps right what events do not tell: who is at work, the dependencies of streams, warnings, and tasks that vanish.
 * Each is read from the server a moment after an event that may have changed it, however many there were.
 */

import * as api from "./api.js";
import { orderedStreams } from "./derive.js";
import { isOurs } from "./reduce.js";
import { withAgents, withServices, withStreamDetail, withWarnings } from "./state.js";

const AGENT_EVENTS = new Set(["agent.started", "agent.heartbeat", "agent.completed", "agent.handoff", "task.status_changed", "task.updated"]);

/** Milliseconds between two looks at the health of streams at work. */
const HEALTH_EVERY = 30_000;

/** Milliseconds between two looks at the services: no event tells who enters a room. */
const SERVICES_EVERY = 5_000;

/** At most so many streams are read at once. */
const AT_ONCE = 20;

export class Refresher {
  #store;
  #resync;
  #streams = new Set();
  #readAgents = afterwards(400, () => this.#agents());
  #readServices = afterwards(0, async () => this.#store.update(withServices, await api.services()));
  #readStreams = afterwards(800, () => this.#details());
  #compare = afterwards(1_500, () => this.#check());

  /**
   * @param {import("./store.js").Store} store
   * @param {() => void} resync asks for the whole state again
   */
  constructor(store, resync) {
    this.#store = store;
    this.#resync = resync;
    setInterval(() => this.#warnings(), HEALTH_EVERY);
    setInterval(() => document.hidden || !this.#store.state.ready || this.#readServices(), SERVICES_EVERY);
  }

  /** The whole state came: what is not in it follows. */
  afterSnapshot() {
    this.#readAgents();
    this.#readServices();
    this.#warnings();
  }

  /** Look at events that were applied. */
  afterEvents(events) {
    for (const { type, data } of events.filter(isOurs)) {
      if (AGENT_EVENTS.has(type)) this.#readAgents();
      if (type === "stream.progress") this.#compare();
      if (data.streamId && mayRestructure(type, data)) this.#streams.add(data.streamId);
    }
    if (this.#streams.size) this.#readStreams();
  }

  async #agents() {
    this.#store.update(withAgents, await api.agents());
  }

  async #details() {
    const ids = [...this.#streams].slice(0, AT_ONCE);
    for (const id of ids) this.#streams.delete(id);
    await Promise.allSettled(ids.map(async (id) => this.#store.update(withStreamDetail, await api.stream(id))));
    if (this.#streams.size) this.#readStreams();
  }

  /** A stream that is gone by now has nothing to warn of. */
  async #warnings() {
    const working = orderedStreams(this.#store.state).filter((stream) => stream.inProgress).slice(0, AT_ONCE);
    const read = async ({ id }) => this.#store.update(withWarnings, id, await api.streamWarnings(id));
    await Promise.allSettled(working.map(read));
  }

  /** Archived and deleted tasks tell it by the counts of their stream only. */
  #check() {
    const { tasks, streams } = this.#store.state;
    const known = new Map();
    for (const { streamId } of tasks.values()) if (streamId) known.set(streamId, (known.get(streamId) ?? 0) + 1);
    const differs = ({ id, total, cancelled }) => total + cancelled !== (known.get(id) ?? 0);
    if ([...streams.values()].some(differs)) this.#resync();
  }
}

/** A new task, or an update that changed no field that events list: its metadata may name other dependencies. */
function mayRestructure(type, data) {
  return type === "task.created" || (type === "task.updated" && !data.changes.length);
}

/** Return a function that makes `act` run once, a while after its first call; a failure is tried again by the next. */
function afterwards(milliseconds, act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(async () => {
      waiting = false;
      try {
        await act();
      } catch (error) {
        console.debug("not refreshed:", error.message);
      }
    }, milliseconds);
  };
}
