"""Settings: three sources, every mistake told at once, and texts that are true."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from pulp.common import config
from pulp.common.times import DAY, MINUTE


class Rest(Struct, frozen=True, kw_only=True):
    """The REST API."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="TCP port.", ge=0, le=65535)] = 8443
    names: Annotated[list[str], Meta(description="Names in the certificate.")] = []
    certificate: Annotated[Path | None, Meta(description="A certificate of your own.")] = None
    idle: Annotated[int, config.duration("Close after this.", at_least="1s", at_most="1d")] = MINUTE
    key: Annotated[str, config.secret("A shared secret.")] = ""


class Log(Struct, frozen=True, kw_only=True):
    """What is logged."""

    format: Annotated[Literal["text", "json"], Meta(description="How.")] = "text"
    quiet: Annotated[bool, Meta(description="Only errors.")] = False


class Settings(Struct, frozen=True, kw_only=True):
    """Settings of a program for tests."""

    rest: Rest = Rest()
    log: Log = Log()


def read(
    tmp_path: Path,
    text: str | bytes | None = None,
    environ: dict[str, str] | None = None,
    **overrides: Any,
) -> config.Effective[Settings]:
    file = tmp_path / "x.toml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.read(
        Settings,
        file=None if text is None else file,
        prefix="PULP",
        environ=environ or {},
        overrides={name.replace("__", "."): value for name, value in overrides.items()},
    )


def problems(tmp_path: Path, *args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(config.SettingsError) as caught:
        read(tmp_path, *args, **kwargs)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def test_nothing_given_means_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path).settings == Settings()


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    text = '[rest]\nhost = "a"\nport = 1\nidle = "2m"\n'
    effective = read(tmp_path, text, {"PULP_REST_PORT": "2", "PULP_REST_IDLE": "1d"}, rest__port=3)
    assert effective.settings.rest == Rest(host="a", port=3, idle=DAY)
    assert effective.origins == {
        "rest.host": f"{tmp_path}/x.toml: [rest] host",
        "rest.port": "flag for rest.port",
        "rest.idle": "environment variable PULP_REST_IDLE",
    }


def test_a_flag_that_was_not_given_leaves_the_setting_alone(tmp_path: Path) -> None:
    assert read(tmp_path, "[rest]\nport = 1\n", rest__port=None).settings.rest.port == 1


def test_words_of_the_environment_become_values(tmp_path: Path) -> None:
    environ = {
        "PULP_REST_NAMES": "a.example, b.example",
        "PULP_REST_CERTIFICATE": "/c.pem",
        "PULP_LOG_QUIET": "true",
    }
    settings = read(tmp_path, environ=environ).settings
    assert settings.rest.names == ["a.example", "b.example"]
    assert settings.rest.certificate == Path("/c.pem")
    assert settings.log.quiet is True


def test_an_empty_text_unsets_an_optional_setting(tmp_path: Path) -> None:
    environ = {"PULP_REST_CERTIFICATE": ""}
    text = '[rest]\ncertificate = "/c.pem"\n'
    assert read(tmp_path, text, environ).settings.rest.certificate is None


def test_every_mistake_is_told_at_once_with_place_and_wish(tmp_path: Path) -> None:
    text = """
[rset]
[rest]
port = 70000
prot = 1
names = "one"
idle = 60
[log]
quiet = 1
"""
    environ = {"PULP_LOG_FORMAT": "xml", "PULP_REST_HOTS": "x"}
    assert problems(tmp_path, text, environ) == [
        "x.toml: [rset] is not known; the nearest known one is rest",
        "x.toml: [rest] prot is not known; the nearest known one is port",
        "environment variable PULP_REST_HOTS is not a known setting; the nearest known one is PULP_REST_HOST",
        "x.toml: [rest] port is 70000, wanted: a whole number from 0 to 65535",
        "x.toml: [rest] names is 'one', wanted: a list, each a text",
        "x.toml: [rest] idle is 60, wanted: a duration such as 90s, 30m, 2h or 7d from 1s to 1d",
        "x.toml: [log] quiet is 1, wanted: true or false",
        "environment variable PULP_LOG_FORMAT is 'xml', wanted: one of json, text",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[rest]\nport = \n", "x.toml: is not TOML: Invalid value (at line 2, column 8)"),
        (b"[rest]\n\nhost = '\xff'\n", "x.toml: line 3 is not UTF-8"),
        ("rest = 1\n", "x.toml: rest must be a section: write [rest] on its own line"),
    ],
)
def test_a_malformed_file_names_the_line(tmp_path: Path, text: str | bytes, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(config.SettingsError, match=r"none\.toml: cannot be read: No such file"):
        config.load(Settings, file=tmp_path / "none.toml", prefix="PULP", environ={}, overrides={})


def test_variables_of_the_other_programs_are_left_alone(tmp_path: Path) -> None:
    environ = {"PULP_AGENT_LINK_X": "1", "PULP_ADMIN_PASSWORD": "1", "PULPIT": "1"}
    assert read(tmp_path, environ=environ).settings == Settings()


def test_the_agents_token_is_no_setting() -> None:
    environ = {"PULP_AGENT_TOKEN": "t"}
    settings = config.load(Settings, file=None, prefix="PULP_AGENT", environ=environ, overrides={})
    assert settings == Settings()


def test_a_flag_for_no_setting_is_our_own_bug(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"rest\.prot"):
        read(tmp_path, rest__prot=1)


def test_a_secret_is_neither_shown_nor_quoted_in_an_error(tmp_path: Path) -> None:
    assert "hunter2" not in config.show(read(tmp_path, '[rest]\nkey = "hunter2"\n'))
    found = problems(tmp_path, "[rest]\nkey = 12345\n")
    assert found == ["x.toml: [rest] key, wanted: a text"]


def test_the_sample_is_toml_that_says_the_defaults(tmp_path: Path) -> None:
    text = config.sample(Settings)
    assert read(tmp_path, text).settings == Settings()
    said = "\n".join(
        line.removeprefix("#") for line in text.splitlines() if not line.startswith("# ")
    )
    assert "port = 8443" in said
    assert "# TCP port. Wanted: a whole number from 0 to 65535." in text
    effective = read(tmp_path, said)
    assert effective.settings == Settings()
    assert len(effective.origins) == 8


def test_show_says_value_meaning_and_origin_as_toml(tmp_path: Path) -> None:
    text = config.show(read(tmp_path, environ={"PULP_REST_PORT": "1"}))
    assert "port = 1  # environment variable PULP_REST_PORT" in text
    assert 'idle = "1m"  # default' in text
    assert "# Close after this. Wanted: a duration" in text
    assert tomllib.loads(text)["rest"]["port"] == 1
