"""Schema 6: which packages are on which hosts, the other way round than the profiles say it, which stay as they are.

`installed` is by far the largest table, a row for every package of every host, so it holds numbers only: names are said once.
It is filled in its own order, so that each page of it is written once: 10,000 profiles of 500 packages take a minute.
"""

_REPORTED = """
    SELECT profile.consumer_id,
        json_extract(each.value, '$.name') AS name,
        json_extract(each.value, '$.version') AS version,
        CASE json_type(each.value, '$.arch') WHEN 'text' THEN json_extract(each.value, '$.arch') ELSE '' END AS arch
    FROM profile, json_each(CAST(profile.packages AS TEXT)) AS each
    WHERE json_valid(CAST(profile.packages AS TEXT))
        AND json_type(each.value, '$.name') = 'text' AND json_type(each.value, '$.version') = 'text'
"""

SQL = f"""
CREATE TABLE package (
    id INTEGER PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    arch TEXT NOT NULL,
    UNIQUE (name, version, arch)
) STRICT;

CREATE TABLE host (
    id INTEGER PRIMARY KEY NOT NULL,
    consumer_id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE installed (
    package_id INTEGER NOT NULL,
    host_id INTEGER NOT NULL,
    PRIMARY KEY (package_id, host_id)
) STRICT, WITHOUT ROWID;

INSERT INTO host (consumer_id) SELECT consumer_id FROM profile ORDER BY consumer_id;
INSERT INTO package (name, version, arch) SELECT DISTINCT name, version, arch FROM ({_REPORTED});
INSERT OR IGNORE INTO installed
    SELECT package.id, host.id FROM ({_REPORTED}) AS reported
        CROSS JOIN host USING (consumer_id) CROSS JOIN package USING (name, version, arch)
    ORDER BY package.id, host.id;
"""  # noqa: S608 - no value from outside
