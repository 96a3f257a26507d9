"""What the package tools were measured to do, case by case, and the contract tests that hold it. A name that is no test fails.

In brackets: the family, where the case is one family's only. Signals to a tool in its commit are never sent, so what they would
do has no test but that a cancel comes too late.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROWS: dict[str, tuple[str, ...]] = {
    "no such package; one good and one bad name": (
        "test_unknown_package_is_named_and_nothing_is_installed",
    ),
    "no such version": ("test_unknown_version_is_named",),
    "unmet dependency": ("test_missing_dependency_is_explained",),
    "a conflict would silently remove": ("test_conflict_that_would_remove_needs_leave",),
    "names that the tool reads as options, patterns, files": (
        "test_a_name_that_the_tool_would_read_otherwise_is_just_unknown",
        "test_the_back_end_itself_refuses_patterns_paths_and_options",
    ),
    "already newest": ("test_install_twice_changes_nothing_the_second_time",),
    "removal of what is absent or unknown": ("test_remove_and_remove_again",),
    "a failing script, and others beside it": (
        "test_failing_script_is_named_and_the_others_are_done",
        "test_a_package_broken_before_fails_only_those_who_ask_for_it",
    ),
    "a failing first script [dnf]": ("test_a_package_whose_first_script_fails_is_not_installed",),
    "the package system's and the metadata's lock": (
        "test_a_lock_that_is_released_in_time_only_delays",
        "test_a_lock_that_stays_held_ends_the_call_and_names_the_holder",
        "test_dnfs_own_lock_is_waited_for_and_its_holder_named",
    ),
    "changed configuration files": (
        "test_changed_configuration_files",
        "test_a_configuration_file_that_its_package_replaces_is_told",
    ),
    "held packages, and the hold that a change clears": (
        "test_a_held_package_is_kept_unless_allowed_and_is_held_again",
        "test_update_all_keeps_back_what_is_held_and_tells_it",
        "test_a_lock_is_renewed_for_the_version_that_was_allowed",
    ),
    "a pin to an older version [apt]": ("test_a_pin_to_an_older_version_needs_leave_to_go_down",),
    "a pin that bars [apt]": (
        "test_a_pin_that_bars_a_package_blocks_updates_but_not_a_version_that_is_asked_for",
    ),
    "security only, with the administrator's pins": (
        "test_security_only_takes_the_fixes_that_newer_versions_hide",
        "test_security_only_keeps_the_pins_of_single_packages",
        "test_security_only_keeps_barred_repositories_out",
    ),
    "a full disk": (
        "test_a_full_disk_in_the_unpacking_is_told_and_what_fits_is_done",
        "test_a_full_disk_is_noticed_before_anything_is_changed",
        "test_a_full_disk_of_the_agent_is_told_as_such",
    ),
    "the repository lost a file": (
        "test_a_package_file_that_is_gone_is_a_failed_fetch",
        "test_metadata_that_ages_between_plan_and_download_is_refreshed_once",
    ),
    "every server is down": (
        "test_without_repositories_the_old_metadata_must_do",
        "test_without_repositories_and_metadata_nothing_can_be_planned",
    ),
    "a wrong hash": ("test_a_package_that_does_not_match_its_hash_is_not_installed",),
    "no signature": (
        "test_an_unsigned_repository_is_untrusted",
        "test_an_unsigned_package_is_untrusted",
        "test_a_package_signed_with_the_repositorys_key_is_installed",
    ),
    "the tool is killed, its script lives on": (
        "test_a_tool_killed_beneath_a_living_job_is_repaired_once_its_script_has_ended",
        "test_a_transaction_that_outlives_its_job_is_waited_for_and_not_repeated",
        "test_a_package_cut_off_in_its_unpacking_is_installed_anew",
    ),
    "an upgrade killed, with old and new version both there [dnf]": (
        "test_an_upgrade_that_was_killed_leaves_no_duplicates",
    ),
    "a cancel in the commit": ("test_a_cancel_in_the_commit_comes_too_late",),
    "a cancel in the download": (
        "test_a_cancel_in_the_download_ends_it_at_once_and_changes_nothing",
    ),
    "a hung script": (
        "test_a_hung_script_is_ended_at_the_time_limit_and_the_others_are_done",
        "test_a_script_that_ignores_the_first_signal_is_killed",
    ),
    "package groups [dnf]": (
        "test_a_group_brings_what_is_mandatory_and_what_is_default",
        "test_a_groups_removal_takes_what_it_brought_and_leaves_what_was_there",
        "test_apt_refuses_groups_and_names_the_way",
    ),
    "by advisory, and the smallest fixed version [dnf]": (
        "test_an_advisory_or_cve_brings_its_fixes_and_no_more",
        "test_minimal_is_what_dnf_itself_calls_so",
        "test_apt_refuses_what_its_repositories_do_not_tell",
    ),
    "repair by itself": (
        "test_what_was_cut_off_is_brought_to_its_end",
        "test_a_package_cut_off_in_its_unpacking_is_put_back",
    ),
    "a dry run": ("test_dry_run_tells_the_plan_and_touches_neither_state_nor_locks",),
    "the need of a restart": ("test_need_of_a_restart_is_told",),
    "several versions of a kernel [dnf]": ("test_kernels_stay_beside_one_another",),
    "no privileges [apt]": ("test_a_private_root_needs_no_privileges",),
    "the host's own database and settings stay as they are [dnf]": (
        "test_the_host_itself_was_left_alone",
    ),
}


@pytest.fixture(scope="module")
def names() -> set[str]:
    files = Path(__file__).parent.glob("test_packages*.py")
    text = "".join(file.read_text() for file in files if file != Path(__file__))
    return set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("row", ROWS)
def test_every_measured_case_has_its_tests(row: str, names: set[str]) -> None:
    assert [name for name in ROWS[row] if name not in names] == []
