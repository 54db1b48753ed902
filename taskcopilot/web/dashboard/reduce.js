/** Events bring the state forward: one small function for each type that changes tasks or streams. */

import { counted } from "./rates.js";
import { FEED_LENGTH } from "./state.js";

/**
 * Return the state after some events, in `seq` order. What the state already holds (a snapshot may be newer than an
 * event that was on its way) is only added to the feed.
 * @param {import("./state.js").BridgeEvent[]} events
 */
export function withEvents(state, events) {
  const lastShown = state.feed.at(-1)?.seq ?? 0;
  const fresh = events.filter((event) => event.seq > lastShown);
  const news = events.filter((event) => event.seq > state.seq);
  const next = {
    ...state,
    tasks: new Map(state.tasks),
    streams: new Map(state.streams),
    agents: withHeartbeats(state.agents, news),
    feed: [...state.feed, ...fresh].slice(-FEED_LENGTH),
    rates: counted(state.rates, fresh),
    seq: Math.max(state.seq, news.at(-1)?.seq ?? 0),
  };
  for (const event of news.filter(isOurs)) {
    CHANGES[event.type]?.(next, event.data);
    touch(next.tasks, event);
  }
  return next;
}

const ENTITIES = new Set(["task", "stream", "checkpoint", "agent"]);

/** Services put events of their own on the bus; their types may be called like ours. */
export const isOurs = ({ topic }) => ENTITIES.has(topic.slice(0, topic.indexOf(":")));

const CHANGES = {
  "task.created": (state, data) =>
    change(state.tasks, data.taskId, {
      ...NEW_TASK,
      title: data.taskTitle,
      agent: data.assignedAgent ?? null,
      streamId: data.streamId ?? null,
      createdAt: data.createdAt,
      updatedAt: data.createdAt,
    }),
  "task.updated": (state, data) =>
    change(state.tasks, data.taskId, {
      title: data.taskTitle,
      status: data.status,
      agent: data.assignedAgent ?? null,
      streamId: data.streamId ?? null,
      updatedAt: data.updatedAt,
      ...changedReason(data.changes),
    }),
  "task.status_changed": (state, data) =>
    change(state.tasks, data.taskId, {
      title: data.taskTitle,
      status: data.newStatus,
      blockedReason: data.blockedReason ?? null,
      updatedAt: data.statusChangedAt,
    }),
  "task.blocked": (state, data) => change(state.tasks, data.taskId, { blockedReason: data.blockedReason }),
  "stream.started": (state, data) => changeStream(state, data, { total: data.totalTasks }),
  "stream.progress": (state, data) =>
    changeStream(state, data, {
      total: data.totalTasks,
      completed: data.completedTasks,
      inProgress: data.inProgressTasks,
      blocked: data.blockedTasks,
      cancelled: data.cancelledTasks,
    }),
  "stream.completed": (state, data) =>
    changeStream(state, data, { total: data.totalTasks, completed: data.totalTasks, inProgress: 0, blocked: 0 }),
};

const NEW_TASK = { title: "", status: "pending", agent: null, streamId: null, blockedReason: null, createdAt: "", updatedAt: "" };

const NEW_STREAM = {
  phase: "parallel",
  total: 0,
  completed: 0,
  inProgress: 0,
  blocked: 0,
  cancelled: 0,
  dependencies: [],
  tokenUsage: 0,
  tokenBudget: null,
  warnings: [],
};

function change(tasks, id, values) {
  tasks.set(id, { ...(tasks.get(id) ?? { ...NEW_TASK, seq: 0 }), id, ...values });
}

function changeStream({ streams }, { streamId, streamName }, values) {
  streams.set(streamId, { ...(streams.get(streamId) ?? NEW_STREAM), id: streamId, name: streamName, ...values });
}

function changedReason(changes) {
  const found = changes.find((each) => each.field === "blockedReason");
  return found ? { blockedReason: found.newValue } : {};
}

/** Note on a task that something was said about it: its page reads its checkpoints and handoffs again. */
function touch(tasks, { seq, data }) {
  const task = tasks.get(data.taskId);
  if (task) tasks.set(task.id, { ...task, seq });
}

function withHeartbeats(agents, events) {
  const beats = new Map();
  for (const { type, data } of events.filter(isOurs)) {
    if (type === "agent.heartbeat") beats.set(data.taskId, data.lastHeartbeat);
  }
  if (!beats.size) return agents;
  return agents.map((agent) => (beats.has(agent.taskId) ? { ...agent, lastHeartbeat: beats.get(agent.taskId) } : agent));
}
