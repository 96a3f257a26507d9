"""Schema 4: named windows and freezes, and which consumers they are bound to.

`binding` is consumer.windows the other way round; triggers keep the two alike, so that a save of a consumer that leaves its
windows alone costs nothing.
"""

SQL = """
CREATE TABLE named_window (
    name TEXT PRIMARY KEY NOT NULL,
    role TEXT NOT NULL,
    span BLOB NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    everywhere INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE consumer ADD COLUMN windows TEXT NOT NULL DEFAULT '[]';
ALTER TABLE consumer ADD COLUMN enforced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consumer ADD COLUMN keep_plan INTEGER NOT NULL DEFAULT 0;

CREATE TABLE binding (
    "window" TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    PRIMARY KEY ("window", consumer_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX binding_consumer ON binding (consumer_id);

CREATE TRIGGER binding_added AFTER INSERT ON consumer WHEN new.windows <> '[]' BEGIN
    INSERT INTO binding SELECT DISTINCT value, new.id FROM json_each(new.windows);
END;
CREATE TRIGGER binding_changed AFTER UPDATE OF windows ON consumer WHEN new.windows <> old.windows BEGIN
    DELETE FROM binding WHERE consumer_id = old.id;
    INSERT INTO binding SELECT DISTINCT value, new.id FROM json_each(new.windows);
END;
CREATE TRIGGER binding_removed AFTER DELETE ON consumer WHEN old.windows <> '[]' BEGIN
    DELETE FROM binding WHERE consumer_id = old.id;
END;
"""
