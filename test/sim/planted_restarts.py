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
        Edit(f"{RESTARTING}.decided", "if boot == desk.me.boot_id:", "if True:"),
        Edit(f"{RESTARTING}.begin", "if due.boot != desk.me.boot_id:", "if False:"),
    ),
    mutation(
        3,
        "the system is asked before the answer is on disk",
        Edit(
            f"{RESTARTING}.wake",
            "if call is not None and call.phase is not Phase.DONE:",
            "if False:",
        ),
        elsewhere="its records are written together here: test_whatever_it_dies_after_the_host_is_restarted_once",
    ),
    mutation(
        7,
        "a host is restarted after its window",
        Edit(
            "pulp_agent.judging:Judge.restart_before",
            "return before if before is None or now < before else 0",
            "return before",
        ),
        elsewhere="no rule here: test_work_that_ran_over_its_window_is_not_followed_by_one_and_says_so",
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
