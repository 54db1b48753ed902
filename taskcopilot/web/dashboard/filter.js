/** Search and filters of the board: what somebody typed and chose, and the controls that show it. */

import { byName } from "./derive.js";
import { find, h } from "./dom.js";

export class Filter {
  #words = find("#search");
  #stream = find("#filter-stream");
  #agent = find("#filter-agent");
  #clear = find("#filter-clear");
  #changed;

  /** @param {() => void} changed called after every change */
  constructor(changed) {
    this.#changed = changed;
    this.#words.addEventListener("input", () => {
      this.#tell();
      if (this.#words.value) bringUp(find("#board"));
    });
    this.#stream.addEventListener("change", () => this.#tell());
    this.#agent.addEventListener("change", () => this.#tell());
    this.#clear.addEventListener("click", () => this.clear());
  }

  /** What is wanted; empty strings mean all. */
  get value() {
    return { words: this.#words.value.trim(), stream: this.#stream.value, agent: this.#agent.value };
  }

  /** Show one stream only, and bring the board into view. */
  chooseStream(id) {
    this.#words.value = "";
    this.#agent.value = "";
    this.#stream.value = id;
    this.#tell();
    find("#board").scrollIntoView({ block: "start" });
    find("#board").focus({ preventScroll: true });
  }

  /** Show everything again. */
  clear() {
    this.#words.value = this.#stream.value = this.#agent.value = "";
    this.#tell();
  }

  /** Offer the streams and agents that there are. What is chosen stays, even if it is gone. */
  offer(state) {
    find(".filters").hidden = !state.tasks.size;
    const streams = [...state.streams.values()].map(({ id, name }) => ({ value: id, name }));
    const agents = [...new Set([...state.tasks.values()].map((task) => task.agent))].filter(Boolean).map((name) => ({ value: name, name }));
    options(this.#stream, "All streams", streams);
    options(this.#agent, "All agents", agents);
  }

  #tell() {
    const { words, stream, agent } = this.value;
    this.#clear.hidden = !(words || stream || agent);
    this.#changed();
  }
}

/** Scroll to the board unless some of it is to be seen: whoever searches wants to see what is found. */
function bringUp(board) {
  if (board.getBoundingClientRect().top > innerHeight * 0.6) board.scrollIntoView({ block: "start" });
}

function options(select, all, items) {
  const chosen = select.value;
  const sorted = items.sort(byName);
  if (chosen && !sorted.some((item) => item.value === chosen)) sorted.push({ value: chosen, name: chosen });
  const signature = JSON.stringify(sorted);
  if (select.signature === signature) return;
  select.signature = signature;
  select.replaceChildren(...[{ value: "", name: all }, ...sorted].map(({ value, name }) => h("option", { value }, name)));
  select.value = chosen;
}
