"""Which proxy there is, and how it is started."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from portal.webservices.engines.caddy import Caddy


def find_caddy() -> str | None:
    """Caddy as it came with pip, or the machine's; None where there is none."""
    beside = Path(sys.executable).parent / "caddy"
    return str(beside) if beside.is_file() else shutil.which("caddy")


def prepare(state: Path, *, listen: str, domain: str) -> Path:
    """To be called before each start: the last known routes are what the proxy starts with."""
    return Caddy(state / "proxy", listen=listen, domain=domain).prepare()


def command(state: Path, *, listen: str, domain: str) -> tuple[list[str], Mapping[str, str]]:
    """The proxy's command line and variables."""
    folder = state / "proxy"
    configuration = prepare(state, listen=listen, domain=domain)
    program = find_caddy()
    if program is None:
        splice = [sys.executable, "-m", "portal.webservices.engines.splice"]
        return [*splice, listen, domain, str(folder / "routes.json")], {}
    home = {"XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    return [program, "run", "--config", str(configuration)], home
