/**
 * What the page knows: one object, never changed in place. It is made from a snapshot and brought forward by events
 * (reduce.js); what a view shows is derived from it (derive.js).
 *
 * @typedef {{id: string, title: string, status: string, agent: string|null, streamId: string|null,
 *   blockedReason: string|null, createdAt: string, updatedAt: string, seq: number}} Task
 * @typedef {{id: string, name: string, phase: string, total: number, completed: number, inProgress: number,
 *   blocked: number, cancelled: number, dependencies: string[], tokenUsage: number,
 *   tokenBudget: number|null, warnings: string[]}} Stream
 * @typedef {{name: string, streamName: string, taskId: string, taskTitle: string, activity: string|null,
 *   phase: string|null, lastHeartbeat: string}} Agent
 * @typedef {{seq: number, at: string, topic: string, type: string, data: Object}} BridgeEvent
 */

import { noRates, counted } from "./rates.js";

/** How many events the page keeps to show; older ones are read from the log again. */
export const FEED_LENGTH = 1_000;

/** Nothing is known yet. */
export const EMPTY = Object.freeze({
  epoch: null,
  seq: 0,
  ready: false,
  tasks: new Map(),
  streams: new Map(),
  agents: [],
  services: [],
  feed: [],
  rates: noRates(),
  countedFrom: 0,
});

/** Replace tasks and streams by those of a snapshot. Another epoch is another log: its events are not ours. */
export function withSnapshot(state, { epoch, seq, streams, tasks }) {
  const kept = epoch === state.epoch ? state : { ...EMPTY, rates: noRates() };
  return {
    ...kept,
    epoch,
    seq,
    ready: true,
    tasks: new Map(tasks.map((task) => [task.id, taskOf(task, seq)])),
    streams: new Map(streams.map((stream) => [stream.streamId, streamOf(stream, kept.streams.get(stream.streamId))])),
  };
}

/**
 * Add events of the past to the feed and the rates; they change nothing else. `complete` says that the log held none
 * before them; otherwise the rates are right from the first of them on (`countedFrom`, milliseconds since 1970).
 */
export function withHistory(state, events, complete) {
  const known = new Set(state.feed.map((event) => event.seq));
  const fresh = events.filter((event) => !known.has(event.seq));
  const feed = [...state.feed, ...fresh].sort((a, b) => a.seq - b.seq).slice(-FEED_LENGTH);
  const countedFrom = complete || !events.length ? 0 : Date.parse(events[0].at);
  return { ...state, feed, rates: counted(state.rates, fresh), countedFrom };
}

/** Replace the agents by what the server lists. */
export function withAgents(state, activities) {
  return { ...state, agents: activities.map(agentOf) };
}

/** Replace the services by what the server lists. */
export function withServices(state, services) {
  return JSON.stringify(services) === JSON.stringify(state.services) ? state : { ...state, services };
}

/** Take over of a stream what no event tells: its phase, dependencies and budget. */
export function withStreamDetail(state, detail) {
  const streams = new Map(state.streams);
  const known = streams.get(detail.streamId);
  const read = streamOf(detail, known);
  streams.set(detail.streamId, known ? { ...known, ...structureOf(read) } : read);
  return { ...state, streams };
}

/** Take over what the server warns of in a stream. */
export function withWarnings(state, streamId, warnings) {
  const known = state.streams.get(streamId);
  if (!known || String(known.warnings) === String(warnings)) return state;
  return { ...state, streams: new Map(state.streams).set(streamId, { ...known, warnings }) };
}

/** Return the state of a stream as its counts tell it. */
export function statusOf(stream) {
  if (stream.total > 0 && stream.completed === stream.total) return "completed";
  if (stream.blocked) return "blocked";
  return stream.inProgress ? "in_progress" : "pending";
}

function taskOf(view, seq) {
  return {
    id: view.id,
    title: view.title,
    status: view.status,
    agent: view.assignedAgent ?? null,
    streamId: typeof view.metadata?.streamId === "string" ? view.metadata.streamId : null,
    blockedReason: view.blockedReason ?? null,
    createdAt: view.createdAt,
    updatedAt: view.updatedAt,
    seq,
  };
}

function streamOf(view, known) {
  return {
    id: view.streamId,
    name: view.streamName,
    phase: view.streamPhase,
    total: view.totalTasks,
    completed: view.completedTasks,
    inProgress: view.inProgressTasks,
    blocked: view.blockedTasks,
    cancelled: view.cancelledTasks,
    dependencies: view.dependencies,
    tokenUsage: view.tokenUsage,
    tokenBudget: view.tokenBudget ?? null,
    warnings: known?.warnings ?? [],
  };
}

function structureOf({ name, phase, dependencies, tokenUsage, tokenBudget }) {
  return { name, phase, dependencies, tokenUsage, tokenBudget };
}

function agentOf(activity) {
  return {
    name: activity.agentName,
    streamName: activity.streamName,
    taskId: activity.taskId,
    taskTitle: activity.taskTitle,
    activity: activity.activityDescription ?? null,
    phase: activity.phase ?? null,
    lastHeartbeat: activity.lastHeartbeat,
  };
}
