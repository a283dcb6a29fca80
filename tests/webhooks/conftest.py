"""Hooks of alice's tool, and what forges post to them."""

import hashlib
import hmac
import json

import pytest
from django.test import Client

from portal.webhooks.operations import create_hook
from tests.conftest import NOW

COMMIT = "a" * 40


class Forge:
    """Posts to a hook as its sender would."""

    def __init__(self, hook, secret):
        self.hook, self.secret = hook, secret
        self.client = Client(enforce_csrf_checks=True)
        self._sent = 0

    def post(self, body, **headers):
        path = f"/hooks/{self.hook.tool.name}/{self.hook.ident}/"
        return self.client.post(
            path, body, content_type=headers.pop("type", "application/json"), headers=headers
        )


class GitHubForge(Forge):
    def sign(self, body):
        return "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()

    def send(self, data, *, event="push", delivery="", **headers):
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self._sent += 1
        delivery = delivery or f"delivery-{self._sent}"
        named = {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery}
        return self.post(body, **{**named, "X-Hub-Signature-256": self.sign(body), **headers})

    def push(self, branch="main", *, files=("app.py",), **more):
        return self.send(github_push(f"refs/heads/{branch}", files=files, **more))


def github_push(ref="refs/heads/main", *, files=("app.py",), after=COMMIT, **more):
    commits = [{"id": after, "added": [], "modified": list(files), "removed": []}]
    return {
        "ref": ref,
        "after": after,
        "deleted": False,
        "forced": False,
        "head_commit": commits[0],
        "commits": commits,
        "repository": {
            "clone_url": "https://git.example.org/hat.git",
            "ssh_url": "git@git.example.org:hat.git",
        },
        **more,
    }


@pytest.fixture
def hook_and_secret(hat, alice):
    return create_hook(hat, sender="github", by=alice, at=NOW)


@pytest.fixture
def hook(hook_and_secret):
    return hook_and_secret[0]


@pytest.fixture
def forge(hook_and_secret):
    return GitHubForge(*hook_and_secret)
