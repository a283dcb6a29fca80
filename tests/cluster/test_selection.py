"""Whoever runs the tests without a cluster is told which were left out."""

import subprocess
import sys

from tests.cluster.selection import HINT


def test_a_plain_run_says_how_to_run_the_tests_on_a_cluster():
    argv = [sys.executable, "-m", "pytest", "--collect-only", "tests/cluster/test_node.py"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert HINT in done.stdout
    assert "test_a_pod_runs_as_the_user_of_its_image" not in done.stdout
