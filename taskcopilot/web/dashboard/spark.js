/** Small charts: a line over a filled area, without axes; the number beside it says how much. */

import { s, set } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 32;

/** Make an empty chart with an accessible name. */
export function sparkline(label) {
  return s(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("path", { class: "spark-area" }),
    s("path", { class: "spark-line", "vector-effect": "non-scaling-stroke" }),
  );
}

/** Draw values, the newest last. All zeros are a line at the bottom. */
export function plot(chart, values) {
  const [area, line] = chart.children;
  const path = pathOf(values.length === 1 ? [...values, ...values] : values);
  set(line, "d", path);
  set(area, "d", path && `${path}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
}

/** The path through values, scaled to the largest. */
export function pathOf(values) {
  if (values.length < 2) return "";
  const most = Math.max(1, ...values);
  const x = (index) => round((index * WIDTH) / (values.length - 1));
  const y = (value) => round(HEIGHT - 2 - (value / most) * (HEIGHT - 4));
  return values.map((value, index) => `${index ? "L" : "M"}${x(index)} ${y(value)}`).join("");
}

const round = (value) => Math.round(value * 10) / 10;
