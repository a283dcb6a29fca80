"""How the forges post: who signed, what happened, which files changed. Pure functions."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from django.utils.translation import gettext as _

from portal.webhooks.decisions import BRANCH, TAG, Push
from portal.webhooks.payloads import at, storable, text_at

ID_LENGTH = 100
REF_LENGTH = 255
ADDRESS_LENGTH = 500
FILES_KEPT = 5000
SECRET_PREFIX = "whsec_"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NOTHING = re.compile(r"0{40,64}")
_ID = re.compile(rf"[!-~]{{1,{ID_LENGTH}}}")


@dataclass(frozen=True)
class Message:
    """A request as it came: header names in lower case, the body untouched."""

    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


class Sender(Protocol):
    def why_not_authentic(self, message: Message, secret: str) -> str:
        """A sentence about what is wrong with the signature; empty when it is right."""

    def delivery_id(self, message: Message) -> str:
        """The same for a repetition of the same message."""

    def sent_at(self, message: Message, data: object) -> datetime | None: ...

    def event(self, message: Message, data: object) -> str:
        """`push`, `ping`, or the sender's own word for something else."""

    def push(self, data: object) -> Push: ...


def _given_id(message: Message, *names: str) -> str:
    given = (message.header(name) for name in names)
    return next((each for each in given if _ID.fullmatch(each)), message.digest)


def _is_same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _commit(text: str) -> str:
    return text if _COMMIT.fullmatch(text) else ""


def _addresses(data: object, *names: str) -> tuple[str, ...]:
    found = [storable(text_at(data, name))[:ADDRESS_LENGTH] for name in names]
    return tuple(each for each in found if each)


def _ref(text: str) -> str:
    return storable(text)[:REF_LENGTH]


def _changed(commits: object) -> tuple[str, ...]:
    """The files that some commits add, change or remove; each once."""
    lists = [
        at(commit, kind)
        for commit in (commits if isinstance(commits, list) else [])
        for kind in ("added", "modified", "removed")
    ]
    names = (name for each in lists if isinstance(each, list) for name in each)
    return tuple(dict.fromkeys(storable(name) for name in names if isinstance(name, str)))


def _with_files(push: dict[str, Any], commits: object, note: str) -> Push:
    """The push with the files that it changed, or with the reason why they are not known."""
    files = _changed(commits)
    if not note and not files:
        note = _("the push names no files")
    if not note and len(files) > FILES_KEPT:
        note = _("it changed more than %(count)d files") % {"count": FILES_KEPT}
    return Push(**push, files=() if note else files, files_note=note)


class GitHub:
    """Also Gitea and Forgejo, which send the same headers."""

    def why_not_authentic(self, message: Message, secret: str) -> str:
        given = message.header("x-hub-signature-256")
        if not given:
            return _("there was no signature; enter the secret in the webhook's settings")
        right = hmac.new(secret.encode(), message.body, hashlib.sha256).hexdigest()
        return "" if _is_same(given, f"sha256={right}") else _("the signature did not match")

    def delivery_id(self, message: Message) -> str:
        return _given_id(message, "x-github-delivery")

    def sent_at(self, message: Message, data: object) -> datetime | None:
        return None

    def event(self, message: Message, data: object) -> str:
        return storable(message.header("x-github-event"))[:60]

    def push(self, data: object) -> Push:
        ref, after = _ref(text_at(data, "ref")), text_at(data, "after")
        commit = text_at(data, "head_commit", "id") if ref.startswith(TAG) else after
        names = ("clone_url", "html_url", "ssh_url", "git_url", "url")
        push = {
            "repositories": _addresses(at(data, "repository"), *names),
            "ref": ref,
            "commit": _commit(commit),
            "is_deletion": at(data, "deleted") is True or bool(_NOTHING.fullmatch(after)),
        }
        note = _("the push was forced") if at(data, "forced") is True else ""
        return _with_files(push, at(data, "commits"), note)


class GitLab:
    def why_not_authentic(self, message: Message, secret: str) -> str:
        if "webhook-signature" in message.headers:
            return self._why_not_signed(message, secret)
        given = message.header("x-gitlab-token")
        if not given:
            return _("there was no token; enter the secret in the webhook's settings")
        return "" if _is_same(given, secret) else _("the token did not match")

    @staticmethod
    def _why_not_signed(message: Message, secret: str) -> str:
        try:
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            return _("the signature did not match")
        before = f"{message.header('webhook-id')}.{message.header('webhook-timestamp')}."
        signed = before.encode("utf-8", "replace") + message.body
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = message.header("webhook-signature").split()
        is_right = any([_is_same(each, f"v1,{right}") for each in given])
        return "" if is_right else _("the signature did not match")

    def delivery_id(self, message: Message) -> str:
        return _given_id(message, "webhook-id", "idempotency-key", "x-gitlab-event-uuid")

    def sent_at(self, message: Message, data: object) -> datetime | None:
        is_signed = "webhook-signature" in message.headers
        return _moment(message.header("webhook-timestamp")) if is_signed else None

    def event(self, message: Message, data: object) -> str:
        kind = text_at(data, "object_kind") or message.header("x-gitlab-event")
        return "push" if kind in ("push", "tag_push") else storable(kind)[:60]

    def push(self, data: object) -> Push:
        after = text_at(data, "after")
        names = ("git_http_url", "web_url", "git_ssh_url", "http_url", "ssh_url")
        push = {
            "repositories": _addresses(at(data, "project"), *names),
            "ref": _ref(text_at(data, "ref")),
            "commit": _commit(text_at(data, "checkout_sha") or after),
            "is_deletion": bool(_NOTHING.fullmatch(after)),
        }
        commits, count = at(data, "commits"), at(data, "total_commits_count")
        listed = len(commits) if isinstance(commits, list) else 0
        is_short = isinstance(count, int) and count > listed > 0
        note = _("the push has more commits than GitLab lists") if is_short else ""
        return _with_files(push, commits, note)


class Gerrit:
    """`ref-updated` events, as Gerrit's stream and hooks write them, posted with a token."""

    def why_not_authentic(self, message: Message, secret: str) -> str:
        scheme, _space, given = message.header("authorization").partition(" ")
        if scheme.lower() != "bearer":
            return _("there was no token; send it as `Authorization: Bearer`")
        return "" if _is_same(given.strip(), secret) else _("the token did not match")

    def delivery_id(self, message: Message) -> str:
        return message.digest

    def sent_at(self, message: Message, data: object) -> datetime | None:
        return _moment(at(data, "eventCreatedOn"))

    def event(self, message: Message, data: object) -> str:
        kind = storable(text_at(data, "type"))[:60]
        return "push" if kind == "ref-updated" else kind

    def push(self, data: object) -> Push:
        update = at(data, "refUpdate")
        ref, after = _ref(text_at(update, "refName")), text_at(update, "newRev")
        push = {
            "repositories": _addresses(update, "project"),
            "ref": ref if ref.startswith("refs/") else f"{BRANCH}{ref}",
            # A tag may be an object of its own, so it is looked up by its name.
            "commit": "" if ref.startswith(TAG) else _commit(after),
            "is_deletion": bool(_NOTHING.fullmatch(after)),
        }
        return _with_files(push, None, _("Gerrit does not say which files changed"))


def _moment(value: object) -> datetime | None:
    """Seconds since 1970, as a number or text; None for anything else."""
    is_number = isinstance(value, int | str) and re.fullmatch(r"[0-9]{1,11}", str(value))
    return datetime.fromtimestamp(int(str(value)), UTC) if is_number else None


SENDERS: Mapping[str, Sender] = {"github": GitHub(), "gitlab": GitLab(), "gerrit": Gerrit()}


def why_not_authentic(sender: Sender, message: Message, secrets: Iterable[str]) -> str:
    """Why none of the secrets fits; empty when one does."""
    reasons = [sender.why_not_authentic(message, secret) for secret in secrets]
    return "" if "" in reasons else reasons[0]
