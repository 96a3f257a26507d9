"""Schema 3: schedules. `doc` is the whole schedule as JSON; the other columns are what is looked for."""

SQL = """
CREATE TABLE schedule (
    name TEXT PRIMARY KEY NOT NULL,
    next_due INTEGER,
    doc BLOB NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_due ON schedule (next_due) WHERE next_due IS NOT NULL;
"""
