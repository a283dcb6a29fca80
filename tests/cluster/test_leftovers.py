"""A lab whose owner died is found and removed by the next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import leftovers

pytestmark = pytest.mark.cluster


def test_what_a_killed_run_left_is_removed(cluster):
    argv = [sys.executable, "-m", "tests.cluster", "up-server"]
    environment = {name: text for name, text in os.environ.items() if name != "KUBECONFIG"}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as other:
        line = other.stdout.readline()
        other.send_signal(signal.SIGKILL)
    folder = Path(line.partition("=")[2]).parents[1]
    assert leftovers.processes_of(folder)
    assert folder in leftovers.clean()
    assert not leftovers.processes_of(folder)
    assert not folder.exists()
    assert os.path.exists(cluster.folder), "the lab of a living owner stays"
