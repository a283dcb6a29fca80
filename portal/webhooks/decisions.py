"""What a push leads to, and why: pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

BRANCH, TAG = "refs/heads/", "refs/tags/"


@dataclass(frozen=True)
class Push:
    """What a sender says of a push: all that decisions need."""

    # Addresses under which the sender knows the repository, or its bare name.
    repositories: tuple[str, ...]
    # In full, such as refs/heads/main.
    ref: str
    # 40 hexadecimal digits, or empty when the sender names none.
    commit: str = ""
    is_deletion: bool = False
    # Empty when it is not known which files changed; `files_note` says why.
    files: tuple[str, ...] = ()
    files_note: str = ""

    @property
    def name(self) -> str:
        """The branch or tag, without what is before it."""
        return self.ref.removeprefix(BRANCH).removeprefix(TAG)


@dataclass(frozen=True)
class Rules:
    """What a hook asks for. No branches means every branch."""

    repository: str
    branches: Sequence[str] = ()
    builds_tags: bool = False
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()


@dataclass(frozen=True)
class Decision:
    starts: bool
    reason: str


def decide(push: Push, rules: Rules) -> Decision:
    """Whether a push is to be built; the reason is a sentence for the maintainer."""
    against = _against_repository(push, rules) or _against_ref(push, rules)
    if against:
        return Decision(False, against)
    return _by_files(push, rules)


def _against_repository(push: Push, rules: Rules) -> str:
    if not rules.repository:
        return _("ignored because the tool names no repository; set it in the tool's settings")
    if any(same_repository(each, rules.repository) for each in push.repositories):
        return ""
    other = push.repositories[0] if push.repositories else _("no repository")
    return _("ignored because the push was to %(other)s, and the tool's repository is %(own)s") % {
        "other": other,
        "own": rules.repository,
    }


def _against_ref(push: Push, rules: Rules) -> str:
    name = {"name": push.name}
    if push.is_deletion:
        return _("ignored because “%(name)s” was deleted") % name
    if push.ref.startswith(TAG):
        why = _("ignored because “%(name)s” is a tag, and this hook builds no tags") % name
        return "" if rules.builds_tags else why
    if not push.ref.startswith(BRANCH):
        return _("ignored because “%(name)s” is neither a branch nor a tag") % name
    if rules.branches and not any(matches(push.name, each) for each in rules.branches):
        wanted = ", ".join(rules.branches)
        why = _("ignored because the push was to “%(name)s”; this hook builds %(wanted)s")
        return why % {"name": push.name, "wanted": wanted}
    return ""


def _by_files(push: Push, rules: Rules) -> Decision:
    if not rules.include and not rules.exclude:
        return Decision(True, "")
    if not push.files:
        why = _("built without looking at the changed files, because %(note)s")
        return Decision(True, why % {"note": push.files_note})
    chosen = next((each for each in push.files if _counts(each, rules)), None)
    if chosen is None:
        why = _("ignored because none of the %(count)d changed files is among those that count")
        return Decision(False, why % {"count": len(push.files)})
    return Decision(True, _("built because “%(file)s” changed") % {"file": chosen})


def _counts(file: str, rules: Rules) -> bool:
    included = not rules.include or any(matches(file, each) for each in rules.include)
    return included and not any(matches(file, each) for each in rules.exclude)


def matches(path: str, pattern: str) -> bool:
    """Whether a path or branch fits: `*` stays within one level, `**` is any number of levels.

    A pattern that ends with / is everything below. Takes time proportional to both lengths.
    """
    whole = f"{pattern.rstrip('/')}/**" if pattern.endswith("/") else pattern
    wanted = whole.split("/")
    # The places in the pattern that can have been reached by the levels read so far.
    reached = _skip({0}, wanted)
    for level in path.split("/"):
        goes_on = reached - {len(wanted)}
        stays = {place for place in goes_on if wanted[place] == "**"}
        steps = {place + 1 for place in goes_on - stays if fnmatchcase(level, wanted[place])}
        reached = _skip(stays | steps, wanted)
    return len(wanted) in reached


def _skip(reached: set[int], wanted: Sequence[str]) -> set[int]:
    """With what is reached because `**` may stand for nothing."""
    for place, each in enumerate(wanted):
        if each == "**" and place in reached:
            reached = reached | {place + 1}
    return reached


def same_repository(one: str, other: str) -> bool:
    """Whether two addresses are of one repository; a bare name fits the end of an address."""
    first, second = normal_address(one), normal_address(other)
    if not first or not second:
        return False
    is_bare = ":" not in one and not one.startswith(("/", "."))
    return first == second or (is_bare and second.endswith(f"/{first}"))


def normal_address(address: str) -> str:
    """Host and path of a repository, the same for https, ssh and git@host:path."""
    text = address.strip()
    if "://" not in text and ":" in text:
        host, _colon, path = text.partition(":")
        text = f"ssh://{host}/{path.lstrip('/')}"
    try:
        parts = urlsplit(text if "://" in text else f"bare:///{text}")
        port = parts.port
    except ValueError:
        return ""
    usual = {"https": 443, "http": 80, "ssh": 22}.get(parts.scheme)
    host = (parts.hostname or "") + (f":{port}" if port and port != usual else "")
    path = parts.path.strip("/").removesuffix(".git").strip("/")
    return f"{host}/{path}".strip("/").lower()
