/** Numbers, times and names as people read them. */

export const STATUS_NAMES = {
  pending: "To do",
  in_progress: "In progress",
  blocked: "Blocked",
  completed: "Done",
  cancelled: "Cancelled",
};

const clockTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const wholeNumber = new Intl.NumberFormat("en");

/** 12345 -> "12,345". */
export const number = (value) => wholeNumber.format(value);

/** "1 task", "2 tasks". */
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** The time of day of an ISO time, or of milliseconds since 1970. */
export function timeOfDay(time) {
  const at = typeof time === "number" ? time : Date.parse(time);
  return Number.isNaN(at) ? "" : clockTime.format(at);
}

/** Date and time of an ISO time, in the reader's zone. */
export function dateAndTime(iso) {
  const at = Date.parse(iso);
  return Number.isNaN(at) ? "" : fullTime.format(at);
}

const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** Milliseconds in their largest whole unit: "3 min". Below a second "0 s". */
export function duration(milliseconds) {
  const ms = Math.max(0, milliseconds);
  const [size, name] = UNITS.find(([unit]) => ms >= unit) ?? UNITS.at(-1);
  return `${Math.floor(ms / size)} ${name}`;
}

/** How long ago an ISO time was: "just now", "3 min ago". */
export function ago(iso, now) {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return "";
  return now - at < 5_000 ? "just now" : `${duration(now - at)} ago`;
}

/** The same where there is little room: "now", "3m". */
export function shortAgo(iso, now) {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return "";
  return now - at < 5_000 ? "now" : duration(now - at).replace(/ ([a-z]).*/, "$1");
}

/** "task.status_changed" -> "status changed". */
export const words = (name) => String(name).replaceAll("_", " ");
