/** The one place that holds the state. Views are told at most once a frame, however much happened. */

import { EMPTY } from "./state.js";

export class Store {
  #state = EMPTY;
  #shown = EMPTY;
  #views = [];
  #asked = false;
  #schedule;

  /** @param {(draw: () => void) => void} schedule calls back before the next frame */
  constructor(schedule = requestAnimationFrame.bind(globalThis)) {
    this.#schedule = schedule;
  }

  /** The newest state. */
  get state() {
    return this.#state;
  }

  /** Call a view with (state, the state that it saw last) whenever it changed; at first with nothing to compare with. */
  show(view) {
    this.#views.push(view);
    view(this.#state, {});
  }

  /** Replace the state by what a pure function makes of it. */
  update(change, ...values) {
    const next = change(this.#state, ...values);
    if (next === this.#state) return;
    this.#state = next;
    this.redraw();
  }

  /** Show the state again at the next frame: a view's own settings changed. */
  redraw() {
    if (this.#asked) return;
    this.#asked = true;
    this.#schedule(() => this.#draw());
  }

  #draw() {
    this.#asked = false;
    const [state, before] = [this.#state, this.#shown];
    this.#shown = state;
    for (const view of this.#views) view(state, before);
  }
}
