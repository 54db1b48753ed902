/** What the views show, derived from the state: plain functions, nothing is kept. */

import { statusOf } from "./state.js";

/** The statuses in the order of the board. */
export const STATUSES = ["pending", "in_progress", "blocked", "completed", "cancelled"];

/** Milliseconds without a heartbeat after which an agent counts as idle. */
export const IDLE_AFTER = 300_000;

const PHASES = ["foundation", "parallel", "integration"];

/** "stream-2" comes before "stream-10". */
const collator = new Intl.Collator(undefined, { numeric: true });

/** The order of what has a name. */
export const byName = (a, b) => collator.compare(a.name, b.name);

/** How many tasks there are in each status, and how much of what counts is done. */
export function totals(state) {
  const counts = Object.fromEntries(STATUSES.map((status) => [status, 0]));
  for (const task of state.tasks.values()) counts[task.status] += 1;
  const counting = state.tasks.size - counts.cancelled;
  return { counts, counting, done: counting ? Math.floor((100 * counts.completed) / counting) : 0 };
}

/** The streams that have tasks, by phase and name, with their status, what they wait for, and what blocks them. */
export function orderedStreams(state) {
  const reasons = blockedReasons(state);
  const shown = (stream) => ({
    ...stream,
    status: statusOf(stream),
    waitsFor: waitsFor(stream, state.streams),
    blockedReasons: reasons.get(stream.id) ?? [],
  });
  return [...state.streams.values()]
    .filter((stream) => stream.total + stream.cancelled > 0)
    .map(shown)
    .sort((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase) || byName(a, b));
}

/** Stream -> the reasons of its blocked tasks, in the order of the tasks. */
function blockedReasons(state) {
  const reasons = new Map();
  for (const task of state.tasks.values()) {
    if (task.status === "blocked" && task.streamId) reasons.set(task.streamId, [...(reasons.get(task.streamId) ?? []), reasonOf(task, state.streams)]);
  }
  return reasons;
}

/** The unfinished streams that a stream depends on; one that does not exist is named by its id. */
export function waitsFor(stream, streams) {
  return stream.dependencies
    .map((id) => streams.get(id) ?? { id, name: id, missing: true })
    .filter((needed) => needed.missing || statusOf(needed) !== "completed");
}

/** Why a task does not move, in a sentence; null when nothing holds it. */
export function reasonOf(task, streams) {
  if (task.status === "blocked") return task.blockedReason || "No reason was given";
  if (task.status !== "pending" || !task.streamId) return null;
  const stream = streams.get(task.streamId);
  const needed = stream ? waitsFor(stream, streams) : [];
  return needed.length ? `Waits for ${listed(needed.map(describeNeed))}` : null;
}

function describeNeed(needed) {
  if (needed.missing) return `${needed.name} (does not exist)`;
  return needed.blocked ? `${needed.name} (blocked)` : needed.name;
}

/** "A", "A and B", "A, B and 2 more". */
export function listed(names) {
  if (names.length < 3) return names.join(" and ");
  return names.length === 3
    ? `${names[0]}, ${names[1]} and ${names[2]}`
    : `${names[0]}, ${names[1]} and ${names.length - 2} more`;
}

/**
 * The tasks of each status that fit the filter: those to do oldest first, the ones that can start before the ones that
 * wait for another stream; all others latest change first.
 * @param {{words: string, stream: string, agent: string}} filter
 */
export function board(state, filter) {
  const wanted = taskFilter(state, filter);
  const columns = Object.fromEntries(STATUSES.map((status) => [status, []]));
  const canStart = (task) => !reasonOf(task, state.streams);
  for (const task of state.tasks.values()) if (wanted(task)) columns[task.status]?.push(task);
  for (const [status, tasks] of Object.entries(columns)) tasks.sort(status === "pending" ? oldestFirst : latestFirst);
  columns.pending = [...columns.pending.filter(canStart), ...columns.pending.filter((task) => !canStart(task))];
  return columns;
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const oldestFirst = (a, b) => compare(a.createdAt, b.createdAt) || compare(a.id, b.id);
const latestFirst = (a, b) => compare(b.updatedAt, a.updatedAt) || compare(a.id, b.id);

function taskFilter(state, { words, stream, agent }) {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  return (task) => {
    if (stream && task.streamId !== stream) return false;
    if (agent && task.agent !== agent) return false;
    if (!parts.length) return true;
    const text = [task.title, task.id, task.agent, state.streams.get(task.streamId)?.name, task.blockedReason]
      .join("\n")
      .toLowerCase();
    return parts.every((part) => text.includes(part));
  };
}

/** The agents that the server listed, without those whose task has ended since. */
export function atWork(state) {
  const ended = ({ taskId }) => ["completed", "cancelled"].includes(state.tasks.get(taskId)?.status);
  return state.agents.filter((agent) => !ended(agent));
}

/** What somebody should look at: blocked tasks, streams that the server warns of, dependencies on nothing. */
export function attention(state) {
  const tasks = [...state.tasks.values()].filter((task) => task.status === "blocked").sort(latestFirst);
  const streams = orderedStreams(state).filter((stream) => stream.status !== "completed");
  return [
    ...tasks.map((task) => ({ key: `task ${task.id}`, kind: "blocked", title: task.title, taskId: task.id,
      reason: reasonOf(task, state.streams), streamName: state.streams.get(task.streamId)?.name ?? null })),
    ...streams.flatMap((stream) => stream.warnings.map((reason) =>
      ({ key: `warning ${stream.id} ${reason}`, kind: "warning", title: stream.name, streamId: stream.id, reason }))),
    ...streams.flatMap((stream) => stream.waitsFor.filter((needed) => needed.missing).map(({ id }) =>
      ({ key: `missing ${stream.id} ${id}`, kind: "warning", title: stream.name, streamId: stream.id,
        reason: `Waits for the stream ${id}, which does not exist` }))),
  ];
}
