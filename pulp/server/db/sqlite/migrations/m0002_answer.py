"""Schema 2: an agent's answer that this server's release cannot take is kept with its task."""

SQL = """
ALTER TABLE task ADD COLUMN answer BLOB;

CREATE INDEX task_answered ON task (seq) WHERE answer IS NOT NULL;
"""
