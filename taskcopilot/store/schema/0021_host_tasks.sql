-- Tasks that a host of agents keeps by itself, and the task here that stands for each. A list is that of a team or session.
CREATE TABLE host_tasks (
    host TEXT NOT NULL,
    list TEXT NOT NULL,
    id TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
    PRIMARY KEY (host, list, id)
);

CREATE INDEX idx_host_tasks_task ON host_tasks(task_id);
