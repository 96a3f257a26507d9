"""The login that pulp-admin remembers: one TOML file, readable by its owner only, overridden by the environment."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from pulp.client.errors import BadUsage

DEFAULT_PORT = 8443
_HTTPS_PORT = 443
_BARE = (("", "", ""), ("/", "", ""))  # path, query, fragment
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
_HEADER = "# pulp-admin's login. Written by `pulp-admin login`; the token is a secret.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A server and the login there. `expires_at` is RFC 3339, `ca` PEM; empty: not known, and the system's CAs."""

    server: str
    login: str = ""
    role: str = ""
    token: str = ""
    expires_at: str = ""
    ca: str = ""

    def expired(self, now: datetime) -> bool:
        return bool(self.expires_at) and datetime.fromisoformat(self.expires_at) <= now


def config_path(env: Mapping[str, str]) -> Path:
    """Where the login is kept: $PULP_ADMIN_CONFIG, or ~/.config/pulp/admin.toml."""
    given = env.get("PULP_ADMIN_CONFIG")
    return Path(given) if given else Path.home() / ".config" / "pulp" / "admin.toml"


def load(env: Mapping[str, str]) -> Session | None:
    """The session to use: the file's, overridden by PULP_ADMIN_SERVER, PULP_ADMIN_TOKEN and PULP_ADMIN_CA.

    A stored token and trust belong to the stored server and are never used for another."""
    stored = read(config_path(env))
    if env.get("PULP_ADMIN_SERVER"):
        server = normal_url(env["PULP_ADMIN_SERVER"])
        stored = stored if stored and stored.server == server else Session(server=server)
    if stored is None:
        return None
    if env.get("PULP_ADMIN_TOKEN"):
        stored = replace(stored, token=env["PULP_ADMIN_TOKEN"], expires_at="", login="", role="")
    return _trusting(stored, env)


def known(env: Mapping[str, str], url: str) -> Session:
    """What is remembered of the server at `url`, without its login token; a bare session when that is nothing."""
    server = normal_url(url)
    stored = read(config_path(env))
    if stored is None or stored.server != server:
        stored = Session(server=server)
    return _trusting(replace(stored, token="", expires_at="", role=""), env)


def _trusting(session: Session, env: Mapping[str, str]) -> Session:
    if not env.get("PULP_ADMIN_CA"):
        return session
    return replace(session, ca=read_ca(Path(env["PULP_ADMIN_CA"])))


def read(path: Path) -> Session | None:
    """The file's session; None without a file. BadUsage when it is unreadable, misspelt, or readable by others."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = tomllib.load(file)
    except FileNotFoundError:
        return None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadUsage(f"{path} cannot be read: {error}") from error
    if mode & 0o077 and data.get("token"):
        raise BadUsage(f"{path} holds a login token and others can read it. Run: chmod 600 {path}")
    return _session(path, data)


def write(path: Path, session: Session) -> None:
    """Replaces the file as a whole; only the owner can read it. BadUsage when it cannot be written."""
    lines = [
        f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in _plain(session).items() if v
    ]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".admin-")  # made with mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(_HEADER + "".join(lines))
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise BadUsage(f"{path} cannot be written: {error}") from error


def read_ca(path: Path) -> str:
    """The PEM text of a CA file."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise BadUsage(f"the CA file {path} cannot be read: {error.strerror}") from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise BadUsage(f"the CA file {path} holds no PEM certificate")
    return text


def normal_url(text: str) -> str:
    """`https://host:8443/` → `https://host:8443`; a host without a scheme is at the port that a Pulp server has unless told
    otherwise. BadUsage for anything but HTTPS."""
    url = text.strip()
    bare = "://" not in url
    try:
        parts = urlsplit(f"https://{url}" if bare else url)
        port = parts.port or (DEFAULT_PORT if bare else _HTTPS_PORT)
    except ValueError as error:
        raise BadUsage(f"{text!r} is no URL: {error}") from error
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise BadUsage(f"{text!r}: the server speaks HTTPS; write https://HOST:PORT")
    if not _HOST.fullmatch(host) or "@" in parts.netloc or parts[2:] not in _BARE:
        raise BadUsage(f"{text!r}: write the server as https://HOST:PORT, with nothing after it")
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}" + (f":{port}" if port != _HTTPS_PORT else "")


def address(url: str) -> tuple[str, int]:
    """Host and port of a normal URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _HTTPS_PORT


def _session(path: Path, data: dict[str, object]) -> Session:
    known = {f.name for f in fields(Session)}
    for key, value in data.items():
        if key not in known:
            raise BadUsage(f"{path}: unknown setting {key!r}; known are {', '.join(sorted(known))}")
        if not isinstance(value, str):
            raise BadUsage(f"{path}: {key} must be a text in quotes")
    if not data.get("server"):
        raise BadUsage(f"{path}: `server` is missing; run: pulp-admin login URL")
    session = Session(**{k: str(v) for k, v in data.items()})
    try:
        session.expired(datetime.fromisoformat("2000-01-01T00:00:00Z"))
    except (ValueError, TypeError) as error:
        raise BadUsage(f"{path}: expires_at is no RFC 3339 time") from error
    return session


def _plain(session: Session) -> dict[str, str]:
    return {f.name: getattr(session, f.name) for f in fields(session)}
