-- Requests to change the tasks of a PRD whose scope is locked, and their review.
CREATE TABLE scope_change_requests (
    id TEXT PRIMARY KEY,
    prd_id TEXT NOT NULL REFERENCES prds(id) ON DELETE CASCADE,
    request_type TEXT NOT NULL CHECK (request_type IN ('add_task', 'modify_task', 'remove_task')),
    description TEXT NOT NULL,
    rationale TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected')),
    created_at TEXT NOT NULL,
    reviewed_at TEXT,
    reviewed_by TEXT,
    review_notes TEXT
);

CREATE INDEX idx_scope_change_requests_prd ON scope_change_requests(prd_id);
CREATE INDEX idx_scope_change_requests_status ON scope_change_requests(status);
CREATE INDEX idx_scope_change_requests_created ON scope_change_requests(created_at DESC);
