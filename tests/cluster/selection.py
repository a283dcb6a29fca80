"""Tests on a cluster run only when they are asked for: they need root, Go and a while."""

import pytest

HINT = "The tests on a Kubernetes cluster are not run. Run them with: make test-cluster"
# The first test of a session waits for its cluster.
SECONDS = 900
# Two processes share the tests: one has the cluster that runs pods, the other API servers alone.
WITH_PODS, WITHOUT = pytest.mark.xdist_group("pods"), pytest.mark.xdist_group("servers")


def is_asked_for(config: pytest.Config) -> bool:
    return "cluster" in config.option.markexpr


def pytest_report_header(config: pytest.Config) -> str | None:
    return None if is_asked_for(config) else HINT


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("cluster")]
    if not is_asked_for(config) and marked:
        items[:] = [item for item in items if item not in marked]
        config.hook.pytest_deselected(items=marked)
    for item in marked:
        item.add_marker(pytest.mark.timeout(SECONDS))
        item.add_marker(WITH_PODS if "lab" in item.fixturenames else WITHOUT)
