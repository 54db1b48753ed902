-- Deleting a task looks for rows of this table that refer to it: without an index that is a scan per task.
CREATE INDEX idx_agent_performance_task ON agent_performance(task_id);
