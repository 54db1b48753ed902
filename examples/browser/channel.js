// A service of the bridge in a browser: rooms, requests, and events that survive a lost connection. No dependencies.
//
//   const channel = new Channel("ws://127.0.0.1:3042", ["diagram:plan"], { event: (message) => ... });
//   await channel.request("get_diagram_status", { diagram_id: "plan" });
//
// Every logged event is passed on once, in the order of the log. Events without a `seq` are not replayed.

const FIRST_DELAY = 1_000;
const MAX_DELAY = 60_000;

export class Refused extends Error {
  constructor({ error_code: code, error_message: message, data }) {
    super(`${code}: ${message}`);
    this.code = code;
    this.data = data;
  }
}

export class Channel {
  #url;
  #rooms;
  #told;
  #socket = null;
  #questions = new Map();
  #number = 0;
  #cursor = null; // { epoch, seq } up to where everything was passed on
  #failures = 0;
  #timer = 0;
  #closed = false;

  // `told` has the functions that are called: event(message), state("live" or "lost"), gap().
  constructor(url, rooms, told) {
    this.#url = url;
    this.#rooms = rooms;
    this.#told = { event() {}, state() {}, gap() {}, ...told };
    this.#open();
  }

  request(event, data) {
    return this.#ask("request", event, data);
  }

  publish(event, data) {
    return this.#ask("event", event, data);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #open() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = () => this.#lost();
  }

  #lost() {
    for (const { reject } of this.#questions.values()) reject(new Error("the connection is lost"));
    this.#questions.clear();
    if (this.#closed) return;
    this.#told.state("lost");
    const ceiling = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#open(), Math.random() * ceiling);
  }

  #ask(type, event, data) {
    const { promise, resolve, reject } = Promise.withResolvers?.() ?? deferred();
    if (this.#socket.readyState !== WebSocket.OPEN) {
      reject(new Error("not connected"));
      return promise;
    }
    const id = `q${(this.#number += 1)}`;
    this.#questions.set(id, { resolve, reject, event });
    this.#socket.send(JSON.stringify({ type, id, event, data }));
    return promise;
  }

  async #enter() {
    const { epoch, seq } = this.#cursor ?? {};
    const since = this.#cursor ? { since: `${epoch}:${seq}` } : {};
    await this.#ask("request", "subscribe", { channels: this.#rooms, ...since });
    this.#failures = 0;
    this.#told.state("live");
  }

  // The answer to a subscribe comes before the first event: where we are is noted before those are looked at.
  #entered(message) {
    if (message.seq === undefined) return;
    const same = this.#cursor?.epoch === message.epoch;
    if (this.#cursor && (!same || message.recovered === false)) this.#told.gap();
    if (!same) this.#cursor = { epoch: message.epoch, seq: message.seq };
  }

  #take(message) {
    const question = message.type === "event" ? undefined : this.#questions.get(message.correlation_id);
    if (question) {
      this.#questions.delete(message.correlation_id);
      if (message.type === "error") question.reject(new Refused(message));
      else {
        if (question.event === "subscribe") this.#entered(message);
        question.resolve(message.data);
      }
    } else if (message.event === "session.created" && message.room === null) {
      this.#enter().catch(() => this.#socket.close());
    } else if (message.type === "event") {
      this.#pass(message);
    }
  }

  #pass(message) {
    if (message.event === "log.gap") {
      this.#told.gap();
      return;
    }
    if (message.seq !== undefined) {
      if (this.#cursor && message.seq <= this.#cursor.seq) return;
      this.#cursor = { epoch: this.#cursor?.epoch, seq: message.seq };
    }
    this.#told.event(message);
  }
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
