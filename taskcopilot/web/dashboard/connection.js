/**
 * The conversation with `/ws`. It starts with a snapshot, goes on from its cursor after every loss of the connection,
 * and asks for a snapshot again when events in between are gone.
 *
 *   connecting -> syncing -> live -> (closed) -> waiting -> connecting ...
 *                                     (refused) -> refused: it tries no more until `open` is called
 *
 * @typedef {{state: "connecting"|"syncing"|"live"|"waiting"|"refused", replayed: number|null, resumed: boolean,
 *   attempts: number, latency: number|null, error: string|null, lostAt: number|null}} Status `lostAt` is when the
 *   connection that is missing was lost, in milliseconds since 1970
 */

const FIRST_DELAY = 250;
const LONGEST_DELAY = 5_000;

/** Milliseconds between two pings of ours; without any answer for two of them the connection counts as lost. */
const PING_EVERY = 5_000;

/** How events come: many in one message, so that a burst costs one frame. */
const BATCH = { maxMs: 80, maxEvents: 500 };

/** The bridge closes with this code when a token has ended, or none was shown. */
const TOKEN_ENDED = 4401;

export class Connection {
  #url;
  #hears;
  #protocols;
  #refusal;
  #socket = null;
  #epoch = null;
  #cursor = null;
  #target = 0;
  #counting = false;
  #requests = 0;
  #heardAt = 0;
  #pingedAt = 0;
  #timers = new Set();
  #status = { state: "connecting", replayed: null, resumed: false, attempts: 0, latency: null, error: null, lostAt: null };

  /**
   * @param {string} url
   * @param {{status: (status: Status) => void, snapshot: (snapshot: Object) => void,
   *   events: (events: Object[]) => void, clock: (serverTime: number) => void,
   *   refused?: (why: "missing"|"bad"|"ended"|"scope") => void}} hears
   * @param {{protocols?: () => string[], refusal?: () => Promise<string|null>}} [shows] the subprotocols to offer, and
   *   what to ask when a socket was not opened: a browser does not say why
   */
  constructor(url, hears, { protocols = () => [], refusal = async () => null } = {}) {
    this.#url = url;
    this.#protocols = protocols;
    this.#refusal = refusal;
    this.#hears = hears;
  }

  /** Connect, and stay connected. */
  open() {
    this.#forget();
    this.#become({ state: "connecting" });
    const socket = new WebSocket(this.#url, this.#protocols());
    this.#socket = socket;
    const current = (act) => (event) => socket === this.#socket && act(event);
    socket.onopen = current(() => this.#subscribe());
    socket.onmessage = current((event) => this.#receive(JSON.parse(event.data)));
    socket.onclose = current((event) => this.#closed(event?.code));
    this.#heardAt = performance.now();
    this.#later(PING_EVERY, () => this.#watch());
  }

  /** Try again now instead of later: the machine woke up, or the network is back. */
  hurry() {
    if (this.#status.state === "waiting") this.open();
  }

  /** Ask for the whole state again, on the connection that there is. */
  resync() {
    if (this.#status.state === "live") this.#ask({ snapshot: true });
  }

  #subscribe() {
    this.#become({ state: "syncing" });
    this.#ping();
    this.#ask(this.#cursor ? { since: `${this.#cursor.epoch}:${this.#cursor.seq}` } : { snapshot: true });
  }

  #ask(start) {
    this.#send({ type: "subscribe", id: ++this.#requests, payload: { topics: ["*"], batch: BATCH, ...start } });
  }

  #receive(message) {
    this.#heardAt = performance.now();
    if (message.timestamp && message.type !== "event") this.#hears.clock(Date.parse(message.timestamp));
    switch (message.type) {
      case "subscribed":
        return this.#subscribed(message.payload);
      case "snapshot":
        return this.#restart(message.payload);
      case "batch":
        return this.#take(message.payload.events);
      case "event":
        return this.#take([message]);
      case "gap":
        return this.#ask({ snapshot: true });
      case "ping":
        return this.#send({ type: "pong" });
      case "pong":
        return this.#become({ latency: performance.now() - this.#pingedAt });
      case "error":
        return this.#wronged(message.payload);
    }
  }

  #subscribed({ epoch, seq, recovered }) {
    this.#epoch = epoch;
    if (recovered === undefined) return;
    if (recovered) {
      this.#target = seq;
      this.#counting = true;
      this.#become({ replayed: 0, resumed: true });
      this.#arrive();
    } else {
      this.#cursor = null;
      this.#ask({ snapshot: true });
    }
  }

  #restart(snapshot) {
    const again = this.#status.attempts > 0;
    this.#cursor = { epoch: this.#epoch, seq: snapshot.seq };
    this.#hears.snapshot({ ...snapshot, epoch: this.#epoch });
    this.#become({ state: "live", attempts: 0, replayed: null, resumed: again, error: null, lostAt: null });
  }

  /** Without a cursor a snapshot is on its way, and what comes before it is in it. */
  #take(envelopes) {
    if (!this.#cursor) return;
    const events = envelopes.map(({ seq, timestamp, payload }) => ({
      seq,
      at: timestamp,
      topic: payload.topic,
      type: payload.eventType,
      data: payload.data,
    }));
    this.#cursor.seq = Math.max(this.#cursor.seq, events.at(-1)?.seq ?? 0);
    if (this.#counting) this.#status = { ...this.#status, replayed: this.#status.replayed + events.length };
    this.#hears.events(events);
    this.#arrive();
  }

  /** After a resume: live is who has everything up to the head of then. */
  #arrive() {
    if (!this.#counting || this.#cursor.seq < this.#target) return;
    this.#counting = false;
    this.#become({ state: "live", attempts: 0, error: null, lostAt: null });
  }

  #watch() {
    if (performance.now() - this.#heardAt > 2 * PING_EVERY) return this.#lost();
    this.#ping();
    this.#later(PING_EVERY, () => this.#watch());
  }

  #ping() {
    this.#pingedAt = performance.now();
    this.#send({ type: "ping" });
  }

  #lost() {
    this.#forget();
    const attempts = this.#status.attempts + 1;
    this.#counting = false;
    const lostAt = this.#status.lostAt ?? Date.now();
    this.#become({ state: "waiting", attempts, replayed: null, resumed: false, latency: null, lostAt });
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(attempts - 1, 10));
    this.#later(delay * (0.75 + Math.random() / 2), () => this.open());
  }

  /** A socket that was not opened may have been refused for its token. */
  async #closed(code) {
    if (code === TOKEN_ENDED) return this.#refused("ended");
    const wasOpened = this.#status.state !== "connecting";
    this.#lost();
    if (wasOpened) return;
    const why = await this.#refusal().catch(() => null);
    if (why && this.#status.state === "waiting") this.#refused(why);
  }

  #wronged({ code, message }) {
    if (code === "WS_UNAUTHORIZED") return this.#refused("missing");
    if (code === "WS_FORBIDDEN") return this.#refused("scope");
    this.#become({ error: message });
  }

  #refused(why) {
    this.#forget();
    this.#become({ state: "refused", replayed: null, latency: null });
    this.#hears.refused?.(why);
  }

  #forget() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #later(delay, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delay);
    this.#timers.add(timer);
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #become(values) {
    this.#status = { ...this.#status, ...values };
    this.#hears.status(this.#status);
  }
}
