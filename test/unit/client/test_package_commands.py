"""`package find` and `package show`."""

from __future__ import annotations

from client_stage import Reply, Stage, page, problem

ROWS = [
    {"consumer_id": "web1", "name": "openssl", "version": "3.0.11", "arch": "amd64"},
    {"consumer_id": "web22", "name": "openssl", "version": "3.0.15", "arch": "amd64"},
]
SPREAD = {
    "name": "openssl",
    "hosts": 3,
    "reported": 10,
    "versions": [
        {"version": "3.0.15", "arch": "amd64", "hosts": 2},
        {"version": "3.0.11", "arch": "amd64", "hosts": 1},
    ],
}


def asked(stage: Stage) -> list[dict[str, str]]:
    return [dict(request.url.params) for request in stage.script.requests]


def test_find_lists_the_hosts(stage: Stage) -> None:
    stage.script.on("GET", "/packages", page(ROWS[0], next_="c"), page(ROWS[1]))
    result = stage.run("package", "find", "openssl")
    assert result.code == 0, result.err
    assert [line.split() for line in result.out.splitlines()] == [
        ["CONSUMER", "NAME", "VERSION", "ARCH"],
        ["web1", "openssl", "3.0.11", "amd64"],
        ["web22", "openssl", "3.0.15", "amd64"],
    ]
    assert asked(stage) == [{"name": "openssl"}, {"name": "openssl", "after": "c"}]


def test_find_passes_on_what_is_wanted(stage: Stage) -> None:
    stage.script.on("GET", "/packages", page(*ROWS, next_="c"))
    words = ("libssl*", "--version", "1:3+b1", "--arch", "amd64", "--limit", "2", "--json")
    result = stage.run("package", "find", *words)
    assert result.code == 0, result.err
    assert result.lines == ROWS
    assert asked(stage) == [{"name": "libssl*", "version": "1:3+b1", "arch": "amd64", "limit": "2"}]
    assert "There are more than these" in result.err


def test_find_says_when_nobody_has_it(stage: Stage) -> None:
    stage.script.on("GET", "/packages", page())
    result = stage.run("package", "find", "nothing")
    assert (result.code, result.out, result.err) == (0, "", "Nothing found.\n")


def test_a_refused_name_is_told_in_the_servers_words(stage: Stage) -> None:
    refused = problem(422, "invalid", "bad", errors=[("name", "must be a package's name")])
    stage.script.on("GET", "/packages", refused)
    result = stage.run("package", "find", "a*b")
    assert result.code == 4
    assert "name: must be a package's name" in result.err


def test_show_counts_hosts_by_version(stage: Stage) -> None:
    stage.script.on("GET", "/packages/openssl", Reply(body=SPREAD))
    result = stage.run("package", "show", "openssl")
    assert result.code == 0, result.err
    assert [line.split() for line in result.out.splitlines()] == [
        ["VERSION", "ARCH", "HOSTS"],
        ["3.0.15", "amd64", "2"],
        ["3.0.11", "amd64", "1"],
    ]
    assert result.err == "On 3 of the 10 hosts that reported their packages.\n"


def test_show_of_a_package_that_nobody_has(stage: Stage) -> None:
    none = {"name": "x", "hosts": 0, "reported": 1, "versions": []}
    stage.script.on("GET", "/packages/x", Reply(body=none))
    result = stage.run("package", "show", "x")
    assert (result.code, result.out) == (0, "")
    assert result.err == "On 0 of the 1 host that reported their packages.\n"


def test_show_as_json_is_the_servers_document(stage: Stage) -> None:
    stage.script.on("GET", "/packages/c++", Reply(body=SPREAD))
    result = stage.run("package", "show", "c++", "--json")
    assert result.json == SPREAD


def test_help_says_where_the_answer_comes_from(stage: Stage) -> None:
    result = stage.run("package", "find", "--help")
    assert result.code == 0
    assert "what the hosts last reported" in " ".join(result.out.split())
