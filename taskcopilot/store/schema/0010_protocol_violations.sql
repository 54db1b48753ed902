-- Violations of the working protocol by a session.
-- The original also checks violation_type against a list of 6 values. That CHECK is left out here: the contract gives
-- only their number, so the tool that logs a violation must check the type itself.
CREATE TABLE protocol_violations (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    initiative_id TEXT,
    violation_type TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    context TEXT NOT NULL,
    suggestion TEXT,
    created_at TEXT NOT NULL
);

CREATE INDEX idx_violations_session ON protocol_violations(session_id);
CREATE INDEX idx_violations_initiative ON protocol_violations(initiative_id);
CREATE INDEX idx_violations_type ON protocol_violations(violation_type);
CREATE INDEX idx_violations_severity ON protocol_violations(severity);
CREATE INDEX idx_violations_created ON protocol_violations(created_at DESC);
