"""Who is signed in where: one file that its owner alone can read."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

SCHEMA = 1
DEFAULT_SERVER = "http://localhost:8000"


@dataclass(frozen=True)
class Credentials:
    """What lets this program act for somebody; never printed."""

    token: str
    # What a device sign-in gave to get the next token with; empty for a personal token.
    refresh_token: str = ""


def path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "community-hosting-portal" / "credentials.json"


def _read() -> dict[str, Any]:
    try:
        stored = json.loads(path().read_text())
    except FileNotFoundError:
        return {"schema": SCHEMA, "default": "", "servers": {}}
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path()} cannot be read: {error}") from error
    if stored.get("schema") != SCHEMA:
        raise click.ClickException(f"{path()} was written by another version; delete it.")
    return stored


def _write(stored: dict[str, Any]) -> None:
    """Whole or not at all; mkstemp makes a file that nobody else can read."""
    folder = path().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".credentials-")
    with os.fdopen(descriptor, "w") as file:
        json.dump(stored, file, indent=2)
    Path(name).replace(path())


def load(server: str) -> Credentials | None:
    """PORTAL_TOKEN of the environment goes before what was stored."""
    if token := os.environ.get("PORTAL_TOKEN", "").strip():
        return Credentials(token)
    entry = _read()["servers"].get(server)
    return Credentials(**entry) if entry else None


def save(server: str, credentials: Credentials) -> None:
    """Remember them; the server becomes the default one."""
    stored = _read()
    stored["servers"][server] = asdict(credentials)
    _write({**stored, "default": server})


def forget(server: str) -> Credentials | None:
    """Remove and give back what was stored for the server."""
    stored = _read()
    entry = stored["servers"].pop(server, None)
    if stored["default"] == server:
        stored["default"] = next(iter(stored["servers"]), "")
    if entry:
        _write(stored)
    return Credentials(**entry) if entry else None


def chosen_server(asked: str | None) -> str:
    """The one that was asked for, or signed in to last; refuses one that gets tokens openly."""
    server = (asked or _read()["default"] or DEFAULT_SERVER).rstrip("/")
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"{server} is no address; say https://portal.example.org")
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "http" and not is_local:
        raise click.UsageError(f"{server} would get your token unencrypted; use https.")
    if parts.username or parts.password:
        raise click.UsageError("Do not put a name or a password into the address.")
    return server
