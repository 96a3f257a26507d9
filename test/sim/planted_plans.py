"""Planted faults of plans that change: hosts' calendars, and the calls that are planned anew by them."""

from __future__ import annotations

from sim.mutating import Edit, mutation

PLANNER = "pulp.server.async_.planner:Planner"
ANEW = "pulp.server.async_.planner:_Anew"
HELLO = "pulp.server.async_.hello:_Comparison"
APPLYING = "pulp.server.async_.applying"

PLANS = (
    mutation(
        1,
        "an edit of a window is not sent again at the hello",
        Edit(f"{HELLO}._replan", "self._say.replan.append(record)", "pass"),
    ),
    mutation(
        1,
        "a new plan is told to nobody",
        Edit(f"{ANEW}.plan", "self._uow.after_commit(lambda: self._tell(task_id))", "pass"),
    ),
    mutation(
        1,
        "a host's calendar is not sent with its welcome",
        Edit("pulp.server.async_.hello:greet", "keep_of(uow, introduced)", "None"),
    ),
    mutation(
        1,
        "a host's calendar is not sent when it changes",
        Edit(
            "pulp.server.async_.news:News.calendars_changed",
            "self._gateway.keeps.changed(consumer_ids)",
            "pass",
        ),
    ),
    mutation(
        1,
        "a host counts as planned anew before it is",
        Edit(
            f"{PLANNER}.step",
            "chunks = [chunk for host in hosts for chunk in host.chunks()]",
            "self._store.write(lambda uow: _unmark(uow, hosts))\n"
            "chunks = [chunk for host in hosts for chunk in host.chunks()]",
        ),
        elsewhere="rarely met here: test_a_host_stays_marked_where_its_tasks_could_not_be_planned",
    ),
    mutation(
        1,
        "what changed while a host was planned anew is forgotten",
        Edit(
            "pulp.server.async_.planner:_unmark",
            "uow.consumers.save(consumer.replace(replanned=host.keep_plan))",
            "uow.consumers.save(consumer.replace(replanned=consumer.keep_plan))",
        ),
        elsewhere="rarely met here: test_a_change_that_comes_while_a_host_is_planned_anew_is_not_forgotten",
    ),
    mutation(
        7,
        "a new plan with an older number wins",
        Edit(
            "pulp_agent.intake:Intake._move",
            "if replan.plan > call.plan:",
            "if replan.plan != call.plan:",
        ),
        elsewhere="rarely met here: test_the_newest_plan_wins",
    ),
    mutation(
        7,
        "a calendar with an older number wins",
        Edit(
            "pulp_agent.core:Core._keep",
            "known is not None and keep.plan <= known.plan",
            "known is not None and keep.plan == known.plan",
        ),
    ),
    mutation(
        7,
        "keep_plan goes back with a restored server",
        Edit(
            "pulp.server.db.sqlite.consumers:SqliteConsumers.outrun",
            "self._db.execute(OUTRUN, (plan,))",
            "pass",
        ),
        elsewhere="rarely met here: "
        "test_what_a_restored_server_says_counts_for_more_than_what_it_has_forgotten",
    ),
    mutation(
        7,
        "the plans of calls go back with a restored server",
        Edit(
            "pulp.server.db.sqlite.tasks:SqliteTasks.outrun",
            "for task_id, revision, state in self._db.rows(OUTRUN, (plan,)):",
            "for task_id, revision, state in ():",
        ),
        elsewhere="rarely met here: "
        "test_what_a_restored_server_says_counts_for_more_than_what_it_has_forgotten",
    ),
    mutation(
        7,
        "a deleted window's work still runs",
        Edit(f"{ANEW}.plan", "self._void(record, anew)", "pass"),
    ),
    mutation(
        7,
        "what is not sent yet keeps its old plan",
        Edit(
            "pulp.server.tasking.replanning:movable",
            "if record.window is None or record.answer is not None:",
            "if record.window is None or record.call is None:",
        ),
        elsewhere="rarely met here: test_many_calls_of_one_host_are_planned_in_units_that_are_bounded",
    ),
    mutation(
        7,
        "what was held again after it had begun keeps its old plan",
        Edit(f"{APPLYING}:Applying._move", "self._plan_again()", "pass"),
        elsewhere="rarely met here: test_what_runs_is_left_alone_and_planned_anew_when_it_is_held_again",
    ),
    mutation(
        4,
        "too late for a new plan counts as too late for a cancel",
        Edit(f"{APPLYING}:_refuses", 'message.of != "cancel"', "False"),
        elsewhere="rarely met here: test_too_late_to_a_new_plan_changes_nothing",
    ),
    mutation(
        4,
        "what was called off with its window counts as canceled",
        Edit("pulp.server.async_.answers:voided", "return record.rule.void if", 'return "" if'),
        elsewhere="either end is one that a task may have: test_what_an_agent_has_is_missed_when_it_confirms",
    ),
    mutation(
        1,
        "a plan that came too late is not told again",
        Edit(
            "pulp.server.async_.replies:ReplyListener._say_again",
            "self._tell_newest(record)",
            "pass",
        ),
        elsewhere="rarely met here: test_a_plan_that_came_too_late_is_told_again_when_the_call_is_held_again",
    ),
    mutation(
        1,
        "what is held again while its host is planned anew is forgotten",
        Edit(
            "pulp.server.async_.planner:_unmark",
            "consumer.replanned == host.replanned",
            "consumer.replanned < host.keep_plan",
        ),
        elsewhere="rarely met here: test_what_is_held_again_while_its_host_is_planned_anew_is_not_forgotten",
    ),
    mutation(
        7,
        "work in a window starts in a freeze after its override",
        Edit(
            "pulp.server.tasking.opening:_opened",
            "expires = min(expires, wanted.unfrozen_until)",
            "pass",
        ),
        elsewhere="no override of a window here: test_nothing_starts_in_a_freeze_when_the_override_is_over",
    ),
)
