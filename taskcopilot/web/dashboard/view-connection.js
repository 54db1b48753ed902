/** The pill that tells whether what is shown is what is. */

import { plural, timeOfDay } from "./format.js";
import { set, text } from "./dom.js";

/** Milliseconds for which the pill tells what a reconnect brought. */
const TELL_FOR = 12_000;

/** Return a function that shows a status in an element. */
export function connectionView(pill) {
  let timer = 0;
  return (status) => {
    clearTimeout(timer);
    set(pill, "data-state", status.state);
    set(pill, "title", status.error);
    text(pill, sentenceOf(status));
    if (status.state === "live") timer = setTimeout(() => text(pill, "Live"), TELL_FOR);
  };
}

/** What the pill says of a status. */
export function sentenceOf({ state, replayed, resumed, error, lostAt }) {
  if (state === "refused") return "Signed out";
  if (state !== "live" && error) return `Refused: ${error}`;
  if (state !== "live" && lostAt) return `Reconnecting · as of ${timeOfDay(lostAt)}`;
  if (state !== "live") return "Connecting";
  if (!resumed) return "Live";
  if (replayed === null) return "Live · read anew";
  return replayed ? `Live · replayed ${plural(replayed, "event")}` : "Live · missed nothing";
}
