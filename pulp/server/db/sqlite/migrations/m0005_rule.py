"""Schema 5: the rule of a task's window, an override, and which hosts' open tasks must be planned anew."""

SQL = """
ALTER TABLE task ADD COLUMN rule BLOB;
ALTER TABLE task ADD COLUMN override BLOB;
ALTER TABLE consumer ADD COLUMN replanned INTEGER NOT NULL DEFAULT 0;

CREATE INDEX consumer_replan ON consumer (id) WHERE keep_plan > replanned;
"""
