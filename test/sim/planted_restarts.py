"""Planted faults of a host's restart: done twice, too early, or over before it is."""

from __future__ import annotations

from sim.mutating import Edit, mutation

RESTARTING = "pulp_agent.restarting:Restarting"

RESTARTS = (
    mutation(
        3,
        "a restart is asked twice",
        Edit(f"{RESTARTING}.begin", "if due.boot != desk.me.boot_id:", "if False:"),
    ),
    mutation(
        3,
        "a host that was started anew meanwhile is restarted again",
        Edit(f"{RESTARTING}.decided", "if boot == self._desk.me.boot_id:", "if True:"),
        Edit(f"{RESTARTING}.begin", "if due.boot != desk.me.boot_id:", "if False:"),
    ),
    mutation(
        3,
        "the system is asked before the answer is on disk",
        Edit(
            "pulp_agent.execution:Execution._answer",
            "if boot:\nself.restarting.decided(call, boot)\nself.desk.end(final)",
            "if boot:\n    self.restarting.decided(call, boot)\n    self.restarting.step()\nself.desk.end(final)",
        ),
        Edit(
            f"{RESTARTING}._is_early",
            "return True",
            "return False",
        ),
        elsewhere="its records are written together here: test_whatever_it_dies_after_the_host_is_restarted_once",
    ),
    mutation(
        3,
        "work begins while a restart is due",
        Edit(
            "pulp_agent.execution:Execution._fill",
            "if lane is Lane.HOST and self.restarting.due:",
            "if False:",
        ),
    ),
    mutation(
        4,
        "a reboot ends before the host is back",
        Edit(
            "pulp.server.async_.applying:Applying._awaits_restart",
            'if boot in ("", awaited.boot_id):',
            "if False:",
        ),
    ),
    mutation(
        6,
        "a host that comes back ends no task",
        Edit(
            "pulp.server.async_.hello:_Comparison.run",
            "self._applying().resume(record.id)",
            "pass",
        ),
    ),
)
