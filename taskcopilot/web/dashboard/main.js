/** Puts the page together: the connection feeds the store, the store tells the views. */

import * as api from "./api.js";
import { Connection } from "./connection.js";
import { find, text } from "./dom.js";
import { Filter } from "./filter.js";
import { escapeKey, searchKey } from "./keyboard.js";
import { withEvents } from "./reduce.js";
import { Refresher } from "./refresher.js";
import { leaveTask } from "./router.js";
import { protocols } from "./session.js";
import { withHistory, withSnapshot } from "./state.js";
import { Store } from "./store.js";
import { startTheme } from "./theme.js";
import { agentsView } from "./view-agents.js";
import { attentionView } from "./view-attention.js";
import { boardView } from "./view-board.js";
import { connectionView } from "./view-connection.js";
import { feedView } from "./view-feed.js";
import { graphView } from "./view-graph.js";
import { overviewView } from "./view-overview.js";
import { servicesView } from "./view-services.js";
import { signInView } from "./view-sign-in.js";
import { streamsView } from "./view-streams.js";
import { taskView } from "./view-task.js";

/** Past events that fill the feed and the charts when the page opens. */
const PAST = 500;

/** Pings whose times the chart shows. */
const PINGS = 40;

const store = new Store();
const latencies = [];
let offset = 0;

/** The server's time, in milliseconds since 1970: the times in events are the server's. */
const now = () => Date.now() + offset;

const showStatus = connectionView(find("#connection"));

const askForToken = signInView(find("#sign-in"), find("#sign-out"));

const hears = {
  refused: askForToken,
  clock: (time) => {
    offset = time - Date.now();
  },
  status: (status) => {
    if (status.latency !== null && status.latency !== latencies.at(-1)) latencies.push(status.latency);
    if (latencies.length > PINGS) latencies.shift();
    showStatus(status);
  },
  snapshot: (snapshot) => {
    store.update(withSnapshot, snapshot);
    refresher.afterSnapshot();
    readPast(snapshot.seq);
  },
  events: (events) => {
    store.update(withEvents, events);
    refresher.afterEvents(events);
  },
};
const shows = { protocols, refusal: api.refusal };
const connection = new Connection(`${location.origin.replace(/^http/, "ws")}/ws`, hears, shows);
const refresher = new Refresher(store, () => connection.resync());

async function readPast(seq) {
  try {
    const { events, gap } = await api.events(Math.max(0, seq - PAST));
    store.update(withHistory, events, seq <= PAST || Boolean(gap));
  } catch (error) {
    console.debug("the past was not read:", error.message);
  }
}

function start() {
  startTheme(find("#theme"));
  const filter = new Filter(() => store.redraw());
  const showStream = (id) => filter.chooseStream(id);
  const board = boardView(find("#board"), filter, now);
  const agents = agentsView(find("#agents"), now);
  const views = [
    overviewView(find("#overview"), now, () => latencies),
    attentionView(find("#attention"), showStream),
    streamsView(find("#streams"), showStream),
    graphView(find("#graph"), showStream),
    (state, before) => (state.tasks !== before.tasks || state.streams !== before.streams) && filter.offer(state),
    board,
    agents,
    servicesView(find("#services")),
    feedView(find("#feed"), () => store.redraw()),
    taskView(find("#task"), store),
  ];
  for (const view of views) store.show(view);
  searchKey(find("#search"));
  escapeKey(leaveTask);
  keepTime([board, agents]);
  connection.open();
  addEventListener("online", () => connection.hurry());
  addEventListener("visibilitychange", () => document.hidden || connection.hurry());
  api.health().then(({ workspace, version }) => {
    text(find("#workspace"), workspace);
    find("#workspace").title = `Workspace ${workspace}, version ${version}`;
  });
}

/** Ages and charts go on when nothing happens. */
function keepTime(views) {
  setInterval(() => store.redraw(), 5_000);
  setInterval(() => views.forEach((view) => view.tick()), 10_000);
}

start();
