/** How much happened lately: counts of events in steps of time, the newest last. */

/** Milliseconds of a step. */
export const STEP = 5_000;

/** Steps that are kept: five minutes. */
export const STEPS = 60;

/** Nothing was counted. `newest` is the number of the newest step since 1970. */
export const noRates = () => ({ newest: 0, events: new Array(STEPS).fill(0), completed: new Array(STEPS).fill(0) });

/** Count events into the steps of their times; what is older than the oldest step is left out. */
export function counted(rates, events) {
  if (!events.length) return rates;
  const steps = events.map((event) => Math.floor(Date.parse(event.at) / STEP));
  const next = upTo(rates, Math.max(...steps) * STEP);
  const result = { newest: next.newest, events: [...next.events], completed: [...next.completed] };
  events.forEach((event, index) => {
    const place = STEPS - 1 - (result.newest - steps[index]);
    if (place < 0 || Number.isNaN(place)) return;
    result.events[place] += 1;
    if (event.type === "task.completed" && event.topic.startsWith("task:")) result.completed[place] += 1;
  });
  return result;
}

/** Move the window forward to a time; never back. */
export function upTo(rates, now) {
  const newest = Math.floor(now / STEP);
  if (!(newest > rates.newest)) return rates;
  const passed = Math.min(STEPS, newest - rates.newest);
  const shifted = (counts) => [...counts.slice(passed), ...new Array(passed).fill(0)];
  return { newest, events: shifted(rates.events), completed: shifted(rates.completed) };
}

/** The sum of the newest steps that make up so many milliseconds. */
export function sumOver(counts, milliseconds) {
  return counts.slice(-Math.max(1, Math.round(milliseconds / STEP))).reduce((sum, count) => sum + count, 0);
}
