"""Runs runc for a node without CAP_SYS_RESOURCE: `runc_within_limits.py RUNC ARGUMENTS...`.

Raising a limit or lowering an OOM score is refused there, so what asks for it is taken out of the
container's configuration first. It speaks for itself: containerd starts it without a search path.
"""

import itertools
import json
import os
import sys


def relax(process: dict) -> None:
    process.pop("rlimits", None)
    if process.get("oomScoreAdj", 0) < 0:
        process["oomScoreAdj"] = 0


def rewrite(path: str) -> None:
    with open(path) as file:
        config = json.load(file)
    # A bundle has its process in it; `exec` is given the process alone.
    relax(config.get("process", config))
    with open(path, "w") as file:
        json.dump(config, file)


def files_in(words: list[str]) -> list[str]:
    following = dict(itertools.pairwise(words))
    bundle, process = following.get("--bundle"), following.get("--process")
    return [path for path in (bundle and f"{bundle}/config.json", process) if path]


if __name__ == "__main__":
    for path in files_in(sys.argv):
        rewrite(path)
    os.execv(sys.argv[1], sys.argv[1:])
