"""The server's view of one call: every state × every message, and whole conversations as play scripts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from pulp.rmi.call import MOVES, CallState, Event, Verdict, advance
from pulp.rmi.errors import LocalCallError
from pulp.rmi.messages import (
    FINALS,
    REPLIES,
    Accepted,
    Alive,
    Canceled,
    Failed,
    Message,
    Progress,
    Rejected,
    Started,
    Succeeded,
    TooLate,
    Unknown,
)

UNSENT, SENT, HELD, READY, RUNNING, ENDED = CallState

held = Accepted(id="a", state="held", starts=9)
ready = Accepted(id="a", state="ready")
started = Started(id="a", at=1)
progress = Progress(id="a", seq=1, phase="commit", percent=50)
succeeded = Succeeded(id="a", value=Raw(b"{}"), started=1, finished=2)
failed = Failed(id="a", code="fetch", message="No network.")
canceled = Canceled(id="a")
rejected = Rejected(id="a", code="expired")
too_late = TooLate(id="a", of="cancel")
unknown = Unknown(id="a")

MESSAGES: list[Message] = [
    held, ready, started, progress, succeeded, failed, canceled, rejected, too_late, unknown,
]  # fmt: skip

ORDER = {state: place for place, state in enumerate(CallState)}


def play(*script: Message | CallState | Verdict, begin: CallState = SENT) -> None:
    """After each message its expected verdict and state; a script that ends in a message has forgotten to say what it expects."""
    state, verdict, checked = begin, None, True
    for line in script:
        if isinstance(line, CallState):
            assert state is line
        elif isinstance(line, Verdict):
            assert verdict is line
            checked = True
        else:
            assert checked, f"nothing was expected of the message before {line}"
            state, verdict = advance(state, line)
            checked = False
    assert checked


def test_the_table_holds_every_state_and_event_once() -> None:
    assert set(MOVES) == set(product(CallState, Event))


def test_the_messages_here_are_all_replies_there_are() -> None:
    assert {type(message) for message in MESSAGES} == set(REPLIES)


@pytest.mark.parametrize(("state", "message"), list(product(CallState, MESSAGES)))
def test_every_state_with_every_message(state: CallState, message: Message) -> None:
    after, verdict = advance(state, message)
    final = isinstance(message, FINALS)
    if state is ENDED:
        assert after is ENDED
        assert (verdict is Verdict.LATE) == final
    elif final:
        assert (after, verdict) == (ENDED, Verdict.ENDED)
    elif isinstance(message, TooLate):
        assert (after, verdict) == (state, Verdict.TOO_LATE)
    elif isinstance(message, Unknown):
        assert verdict in {Verdict.RESEND, Verdict.LOST, Verdict.REPEATED}
    else:
        assert ORDER[after] >= ORDER[state] or after is HELD
        assert verdict is (Verdict.REPEATED if after is state else Verdict.MOVED)


@pytest.mark.parametrize("state", [HELD, READY, RUNNING])
def test_an_accepted_call_that_is_unknown_is_lost_and_never_sent_again(state: CallState) -> None:
    assert advance(state, unknown) == (ENDED, Verdict.LOST)


def test_only_what_was_never_accepted_goes_back_to_unsent_and_only_moved_openings_hold_again() -> (
    None
):
    back = [key for key, step in MOVES.items() if ORDER[step.state] < ORDER[key[0]]]
    assert back == [(SENT, Event.UNKNOWN), (READY, Event.HELD), (RUNNING, Event.HELD)]


@given(st.sampled_from(list(CallState)), st.lists(st.sampled_from(MESSAGES), max_size=12))
def test_whatever_arrives_a_call_ends_once_at_most(state: CallState, script: list[Message]) -> None:
    endings = 0
    for message in script:
        before = state
        state, verdict = advance(state, message)
        endings += verdict in {Verdict.ENDED, Verdict.LOST}
        assert before is not ENDED or state is ENDED
    assert endings <= 1


def test_a_message_about_no_call_is_our_own_error() -> None:
    with pytest.raises(LocalCallError, match="Alive"):
        advance(SENT, Alive(now=1))


def test_a_plain_install() -> None:
    play(
        ready, Verdict.MOVED, READY,
        started, Verdict.MOVED, RUNNING,
        progress, Verdict.REPEATED, RUNNING,
        succeeded, Verdict.ENDED, ENDED,
    )  # fmt: skip


def test_an_install_held_for_its_window() -> None:
    play(
        held, Verdict.MOVED, HELD,
        ready, Verdict.MOVED, READY,
        started, Verdict.MOVED, RUNNING,
        failed, Verdict.ENDED, ENDED,
    )  # fmt: skip


def test_a_final_implies_accepted_and_started() -> None:
    play(succeeded, Verdict.ENDED, ENDED, ready, Verdict.REPEATED, started, Verdict.REPEATED, ENDED)


def test_replies_out_of_order_never_go_back() -> None:
    play(
        progress, Verdict.MOVED, RUNNING,
        started, Verdict.REPEATED,
        ready, Verdict.REPEATED, RUNNING,
    )  # fmt: skip


def test_an_opening_that_moves_holds_a_call_again_also_when_it_had_begun() -> None:
    play(
        ready, Verdict.MOVED, READY,
        held, Verdict.MOVED, HELD,
        held, Verdict.REPEATED, HELD,
        started, Verdict.MOVED, RUNNING,
        held, Verdict.MOVED, HELD,
        succeeded, Verdict.ENDED, held, Verdict.REPEATED, ENDED,
    )  # fmt: skip


def test_a_repeated_final_and_a_different_one_are_both_late() -> None:
    play(succeeded, Verdict.ENDED, succeeded, Verdict.LATE, failed, Verdict.LATE, ENDED)


def test_the_answer_comes_before_the_sending_was_noted() -> None:
    play(held, Verdict.MOVED, HELD, begin=UNSENT)
    play(succeeded, Verdict.ENDED, ENDED, begin=UNSENT)


def test_a_request_lost_on_the_way_is_sent_again() -> None:
    play(
        unknown,
        Verdict.RESEND,
        UNSENT,
        unknown,
        Verdict.REPEATED,
        UNSENT,
        ready,
        Verdict.MOVED,
        READY,
    )


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    play(
        started, Verdict.MOVED, too_late, Verdict.TOO_LATE, RUNNING, succeeded, Verdict.ENDED, ENDED
    )


def test_a_cancel_in_time() -> None:
    play(held, Verdict.MOVED, canceled, Verdict.ENDED, ENDED)


def test_a_request_that_is_refused() -> None:
    play(rejected, Verdict.ENDED, ENDED, rejected, Verdict.LATE, ENDED)


def test_what_was_lost_and_turns_up_again_is_late() -> None:
    play(started, Verdict.MOVED, unknown, Verdict.LOST, ENDED, succeeded, Verdict.LATE, ENDED)
