"""Homes of tools in a cluster: rebuilt from the database, removed after a while."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from builds.models import Build
from builds.operations import Source, start_build
from builds.reconcile import reconcile
from builds.tasks import engine_of
from portal.cluster.base import ClusterUnavailable
from portal.cluster.kinds import NAMESPACE, RESOURCE_QUOTA, SERVICE_ACCOUNT
from portal.clusters.models import Cluster
from portal.tools.models import Tool
from portal.tools.operations import register_tool
from portal.webservices.homes import REMOVE_AFTER, SLICES, keep_homes, tidy
from portal.webservices.tasks import keep_home
from tests.conftest import NOW


@pytest.fixture
def tools(tools, alice):
    """Hat and cap live there."""
    register_tool("cap", by=alice, at=NOW, title="Cap")
    Tool.objects.update(cluster=tools)
    return tools


def push(cluster):
    out, err = StringIO(), StringIO()
    call_command("push_to_cluster", cluster.name, stdout=out, stderr=err)
    return out.getvalue()


def namespaces(memory):
    return [each["metadata"]["name"] for each in memory.list(NAMESPACE).items]


def days(number):
    return NOW + timedelta(days=number)


def test_an_empty_cluster_is_filled_from_the_database(tools, memory, hat, alice):
    hat.refresh_from_db()
    start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    Build.objects.update(next_look_at=days(1))
    assert "2 homes, 1 builds and webservices" in push(tools)
    assert namespaces(memory) == ["build-cap", "build-hat", "tool-cap", "tool-hat"]
    assert Build.objects.get().next_look_at != days(1)


def test_pushing_twice_changes_nothing(tools, memory):
    push(tools)
    before = dict(memory.objects)
    push(tools)
    assert memory.objects == before


def test_what_was_edited_or_removed_by_hand_is_put_right(tools, memory):
    push(tools)
    more = {"spec": {"hard": {"pods": "1000"}}}
    memory.merge(RESOURCE_QUOTA, "room", more, namespace="tool-hat")
    memory.delete(SERVICE_ACCOUNT, "tool", namespace="tool-hat")
    push(tools)
    quota = memory.get(RESOURCE_QUOTA, "room", namespace="tool-hat")
    assert quota["spec"]["hard"]["pods"] == "10"
    assert memory.get(SERVICE_ACCOUNT, "tool", namespace="tool-hat")


def test_a_foreign_namespace_is_left_alone_and_the_others_are_made(tools, memory):
    memory.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tool-cap"}})
    with pytest.raises(CommandError, match="1 homes could not be made"):
        push(tools)
    assert "tool-hat" in namespaces(memory)
    assert "labels" not in memory.get(NAMESPACE, "tool-cap")["metadata"]


def test_a_cluster_that_is_away_is_a_sentence(tools, memory):
    memory.fault = ClusterUnavailable("The cluster does not answer.")
    with pytest.raises(CommandError, match="2 homes could not be made"):
        push(tools)
    with pytest.raises(CommandError, match="no cluster nowhere"):
        call_command("push_to_cluster", "nowhere")


def test_a_new_tool_has_a_home_before_its_first_build(
    tools, memory, alice, monkeypatch, django_capture_on_commit_callbacks
):
    Cluster.objects.update(is_default=True)
    monkeypatch.setattr(keep_home, "delay", keep_home)
    with django_capture_on_commit_callbacks(execute=True):
        mug = register_tool("mug", by=alice, at=NOW, title="Mug")
    assert {"build-mug", "tool-mug"} <= set(namespaces(memory))
    build, _is_new = start_build(mug, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    memory.requests.clear()
    reconcile(build, engine=engine_of(build), now=NOW)
    asked = [kind for _verb, kind in memory.requests]
    assert asked == ["Namespace", "Pipeline", "Secret", "PipelineRun"]


def test_a_new_tool_on_this_machine_needs_no_home(hat, alice, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as told:
        register_tool("mug", by=alice, at=NOW, title="Mug")
    assert not told


def test_every_home_is_kept_once_in_a_day(tools):
    kept = [
        each.tool for number in range(SLICES) for each in keep_homes(tools, slice_number=number)
    ]
    assert sorted(kept) == ["cap", "hat"]


def test_an_archived_tool_is_removed_after_its_grace(tools, memory):
    push(tools)
    Tool.objects.filter(name="hat").update(status=Tool.Status.ARCHIVED)
    assert tidy(tools, now=NOW) == []
    assert tidy(tools, now=days(6)) == []
    assert tidy(tools, now=days(8)) == ["build-hat", "tool-hat"]
    assert namespaces(memory) == ["build-cap", "tool-cap"]


def test_a_tool_that_comes_back_in_time_stays(tools, memory):
    push(tools)
    Tool.objects.filter(name="hat").update(status=Tool.Status.ARCHIVED)
    tidy(tools, now=NOW)
    Tool.objects.filter(name="hat").update(status=Tool.Status.ACTIVE)
    tidy(tools, now=days(1))
    assert REMOVE_AFTER not in memory.get(NAMESPACE, "tool-hat")["metadata"]["annotations"]
    assert tidy(tools, now=days(30)) == []


def test_namespaces_of_tools_that_the_database_does_not_know_stay(tools, memory):
    push(tools)
    # As after the return of an older backup. (A tool that has a history cannot be deleted.)
    Tool.objects.filter(name="hat").update(name="older")
    assert tidy(tools, now=NOW) == tidy(tools, now=days(30)) == []
    assert "tool-hat" in namespaces(memory)
