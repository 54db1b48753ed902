"""Everything that speaks SQL: connections, migrations, the event log, and one module per table family."""
