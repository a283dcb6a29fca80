"""How an image starts: the launcher script, and what it has to know of the image."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from builds.lifecycle.layers import Layer, Process
from builds.lifecycle.layout import Inside, escaped

_SCRIPT = Path(__file__).with_name("launcher.sh")


def launcher_script(inside: Inside) -> bytes:
    text = _SCRIPT.read_text()
    return text.replace("@LAYERS@", inside.layers).replace("@WORKSPACE@", inside.workspace).encode()


def launcher_config(inside: Inside, layers: Sequence[Layer], processes: Iterable[Process]) -> bytes:
    """Shell assignments that the launcher reads: the layers in order, and the processes."""
    paths = (f"{inside.layers}/{escaped(layer.buildpack)}/{layer.name}" for layer in layers)
    lines = [f"layers=({shlex.join(paths)})", "choose_process() {", '    case "$1" in']
    for process in processes:
        words = [
            f"command=({shlex.join(process.command)})",
            f"args=({shlex.join(process.args)})",
            f"replaces_args={int(process.minor >= 9)}",
            f"direct={int(process.is_direct)}",
        ]
        if process.working_dir:
            words.append(f"directory={shlex.quote(process.working_dir)}")
        lines.append(f"        {shlex.quote(process.type)}) {' '.join(words)} ;;")
    lines += ["        *) return 1 ;;", "    esac", "}", ""]
    return "\n".join(lines).encode()
