"""Schema 5: the rule of a task's window, an override, and which hosts' open tasks must be planned anew.

An edit of one window may change the calendars of all hosts: `planned` has little more than those numbers, so that they are
raised in a few pages, and nobody waits long for it.
"""

SQL = """
ALTER TABLE task ADD COLUMN rule BLOB;
ALTER TABLE task ADD COLUMN override BLOB;

CREATE TABLE planned (
    consumer_id TEXT PRIMARY KEY NOT NULL,
    keep_plan INTEGER NOT NULL,
    replanned INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO planned SELECT id, keep_plan, 0 FROM consumer;
ALTER TABLE consumer DROP COLUMN keep_plan;
"""
