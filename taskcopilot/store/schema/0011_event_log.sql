-- The event log: every committed event, numbered in commit order, and its one-row state.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    topic TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL
);

-- epoch: the random name of this log, numbers of different epochs must never be compared.
-- head: the last seq given out. It is updated in the transaction that inserts the events, so that the row lock makes
-- seq order the commit order also on PostgreSQL, where a sequence would hand out numbers in any order of commit.
-- pruned_to: the last seq that retention removed, 0 when nothing was. Events above it up to head are all there.
CREATE TABLE log_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    head INTEGER NOT NULL,
    pruned_to INTEGER NOT NULL
);
