"""The query behind a page of tasks: newest first, by whatever the filter names, without sorting the backlog."""

# ruff: noqa: S608 - statements are put together from this module's own names of columns and indexes; values are always bound

from __future__ import annotations

from pulp.server.db.base import TaskFilter
from pulp.server.domain.task import TaskState

Value = int | str

_BY_SEQ = "seq < ? ORDER BY seq DESC LIMIT ?"


def query(where: TaskFilter, before: int, limit: int) -> tuple[str, list[Value]]:
    """What follows `SELECT ... FROM task WHERE`: at most `limit` tasks with seq below `before`.

    Every index but the row id itself holds a state in front of the seq, so each state asked for gives its own newest
    tasks, in order and no more than the page needs, and only those few are sorted together.
    """
    columns = _columns(where)
    if not columns and not where.states:
        return _BY_SEQ, [before, limit]
    equal = "".join(f" AND {column} = ?" for column, _ in columns)
    branch = (
        f"SELECT seq FROM task INDEXED BY {_index(columns)} WHERE state = ?{equal} AND {_BY_SEQ}"
    )
    given = [value for _, value in columns]
    values: list[Value] = []
    for state in sorted(state.value for state in where.states or TaskState):
        values += [state, *given, before, limit]
    branches = " UNION ALL ".join(
        [f"SELECT * FROM ({branch})"] * (len(where.states) or len(TaskState))
    )
    return f"seq IN ({branches}) ORDER BY seq DESC LIMIT ?", [*values, limit]


def _columns(where: TaskFilter) -> list[tuple[str, str]]:
    """What the filter names, the most telling first."""
    given = (("job_id", where.job_id), ("consumer_id", where.consumer_id), ("kind", where.kind))
    return [(column, value) for column, value in given if value is not None]


def _index(columns: list[tuple[str, str]]) -> str:
    """Named in the query, because SQLite's own choice between several would be a guess."""
    return f"task_{columns[0][0].removesuffix('_id')}" if columns else "task_state"
