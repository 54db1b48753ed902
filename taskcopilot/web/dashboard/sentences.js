/** Events in a few words. */

import { STATUS_NAMES, duration } from "./format.js";
import { isOurs } from "./reduce.js";

const SENTENCES = {
  "task.created": (data) => [data.taskTitle, "created"],
  "task.updated": (data) => [data.taskTitle, changesOf(data.changes)],
  "task.status_changed": (data) => [data.taskTitle, `${name(data.oldStatus)} → ${name(data.newStatus)}`],
  "task.blocked": (data) => [data.taskTitle, data.blockedReason],
  "task.completed": (data) => [data.taskTitle, data.duration === undefined ? "done" : `done after ${duration(data.duration)}`],
  "stream.started": (data) => [data.streamName, "started"],
  "stream.progress": (data) => [data.streamName, `${data.completedTasks} of ${data.totalTasks} done`],
  "stream.completed": (data) => [data.streamName, `complete after ${duration(data.duration)}`],
  "stream.blocked": (data) => [data.streamName, data.blockedReason],
  "checkpoint.created": (data) => [data.taskTitle, `checkpoint ${data.sequence} (${data.trigger})`],
  "checkpoint.resumed": (data) => [data.taskTitle, `resumed from checkpoint ${data.sequence}`],
  "checkpoint.expired": (data) => [`Checkpoint ${data.sequence}`, "expired"],
  "agent.handoff": (data) => [`${data.fromAgent} → ${data.toAgent}`, data.handoffContext],
  "agent.started": (data) => [data.agentName, `at work on ${data.taskTitle}`],
  "agent.heartbeat": (data) => [data.agentId, "still at work"],
  "agent.activity": (data) => [data.agentId, data.activity],
  "agent.completed": (data) => [data.agentId, `finished after ${duration(data.duration)}`],
};

/** Return what an event is about and what happened to it; of a type that is not known, its topic and first facts. */
export function sentence(event) {
  return (isOurs(event) && SENTENCES[event.type]?.(event.data)) || [event.topic, factsOf(event.data)];
}

function factsOf(data) {
  const short = Object.entries(data).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  return short.slice(0, 3).map(([name, value]) => `${name} ${value}`).join(" · ");
}

const FIELDS = { status: "status", notes: "notes", blockedReason: "reason" };

function changesOf(changes) {
  const agent = changes.find((change) => change.field === "assignedAgent");
  const others = changes.filter((change) => change !== agent).map((change) => FIELDS[change.field] ?? change.field);
  const parts = [agent && (agent.newValue ? `assigned to ${agent.newValue}` : "assigned to nobody"), others.length && `changed ${others.join(", ")}`];
  return parts.filter(Boolean).join(" · ") || "updated";
}

const name = (status) => STATUS_NAMES[status] ?? status;
