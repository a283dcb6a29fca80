"""Which names tools, variables and licences may have, and the rules in words."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Names derived from it, such as `<tool>-r123-0`, have to fit into a DNS label of 63 characters.
TOOL_NAME_LENGTH = 40
TOOL_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
TOOL_NAME_RULE = _(
    "2 to 40 characters: small letters a–z, digits and single hyphens, beginning with a letter and "
    "not ending with a hyphen. It becomes the tool's address and cannot be changed."
)
RESERVED = frozenset({
    "accounts", "api", "admin", "autodiscover", "examples", "ftp", "healthz", "imap", "isatap",
    "localhost", "mail", "name-check", "ns", "portal", "register", "smtp", "static", "status",
    "tools", "webmail", "wpad", "www",
})  # fmt: skip
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# What the platform, the shell that starts programs or a language's runtime sets or reads by itself;
# a maintainer's value would break out, or get lost.
RESERVED_VARIABLE = re.compile(
    r"(?:LD|CNB|GIT|BASH|COMP)_.*|__.*|PATH|HOME|PORT|PWD|OLDPWD|SHLVL|ENV|IFS|PS4|_|GLIBC_TUNABLES"
    r"|BASH|BASHPID|BASHOPTS|SHELLOPTS|E?UID|PPID|GROUPS|S?RANDOM|SECONDS|EPOCH(?:SECONDS|REALTIME)"
    r"|LINENO|FUNCNAME|DIRSTACK|HISTCMD|PIPESTATUS|OPTIND|PYTHONHOME|PYTHONSTARTUP|NODE_OPTIONS"
)
VARIABLE_LENGTH = 32 * 1024
# All that a build or a webservice gets, names included. The system refuses to start a program with
# more than a quarter of its stack (2 MB) of arguments and variables, and a Secret holds 1 MB.
VARIABLES_LENGTH = 512 * 1024
VARIABLES_AT_MOST = 500
# An address on the web as people may give it; nothing that a browser runs, such as javascript:.
WEB_ADDRESS = re.compile(r"https?://[^\s@\\<>\"]+")
LINK_LENGTH = 500
KEYWORDS_AT_MOST, KEYWORD_LENGTH = 20, 50
# Where else a tool can be found, by the names that toolinfo has for it.
LINKS = {
    "user_docs_url": _("User documentation"),
    "developer_docs_url": _("Developer documentation"),
    "api_url": _("API"),
    "bugtracker_url": _("Issues"),
    "feedback_url": _("Feedback"),
    "translate_url": _("Translation"),
    "privacy_policy_url": _("Privacy policy"),
}
# An SPDX licence expression: identifiers, AND, OR, WITH, brackets.
LICENSE = re.compile(r"[A-Za-z0-9.+() -]+", re.ASCII)
LICENSES = [
    "GPL-3.0-or-later", "GPL-2.0-or-later", "AGPL-3.0-or-later", "LGPL-3.0-or-later", "MIT",
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MPL-2.0", "ISC", "EUPL-1.2", "CC0-1.0",
]  # fmt: skip


def check_tool_name(name: str) -> None:
    """Raises ValidationError with a sentence; says nothing about whether the name is taken."""
    if not TOOL_NAME.fullmatch(name) or "--" in name or not 2 <= len(name) <= TOOL_NAME_LENGTH:
        raise ValidationError(TOOL_NAME_RULE)
    if name in RESERVED:
        raise ValidationError(_("This name is reserved for the platform. Choose another."))


def check_variable_name(name: str) -> None:
    if not VARIABLE_NAME.fullmatch(name):
        raise ValidationError(_("Use letters, digits and _, not beginning with a digit."))
    if RESERVED_VARIABLE.fullmatch(name.upper()):
        raise ValidationError(_("The platform sets this variable itself. Choose another name."))


def check_license(text: str) -> None:
    if text and not LICENSE.fullmatch(text):
        raise ValidationError(_("Use an SPDX identifier, such as GPL-3.0-or-later."))


def check_repository(url: str) -> None:
    """Only its form: whether it may be built from is decided when a build is started."""
    if url and not WEB_ADDRESS.fullmatch(url):
        raise ValidationError(
            _("Use the https address of the repository, without a user name or password in it.")
        )


def check_keywords(keywords: object) -> None:
    is_list = isinstance(keywords, list) and all(isinstance(each, str) for each in keywords)
    if not is_list or len(keywords) > KEYWORDS_AT_MOST:  # type: ignore[arg-type]
        raise ValidationError(_("Give at most %(most)d keywords.") % {"most": KEYWORDS_AT_MOST})
    for each in keywords:  # type: ignore[attr-defined]
        if not each.strip() or len(each) > KEYWORD_LENGTH or "," in each or not each.isprintable():
            raise ValidationError(
                _("A keyword is a word or a few, of at most %(most)d characters, without commas.")
                % {"most": KEYWORD_LENGTH}
            )


def check_links(links: object) -> None:
    if not isinstance(links, dict) or not links.keys() <= LINKS.keys():
        known = ", ".join(LINKS)
        raise ValidationError(_("Links are among: %(known)s.") % {"known": known})
    for kind, url in links.items():
        is_fine = isinstance(url, str) and len(url) <= LINK_LENGTH and WEB_ADDRESS.fullmatch(url)
        if not is_fine:
            raise ValidationError(
                _("%(kind)s: use an https address without a user name or password in it.")
                % {"kind": LINKS[kind]}
            )


# What a name on a wiki cannot hold.
_NOT_IN_USERNAMES = frozenset("#<>[]|{}/@")
USERNAME_LENGTH = 255


def tidy_username(name: str) -> str:
    """A user's name as wikis write it; raises ValidationError for what can be nobody's name.

    Characters that cannot be seen are refused: two names must not look the same because of them.
    """
    tidied = re.sub(" +", " ", unicodedata.normalize("NFC", name.replace("_", " "))).strip()
    is_visible = tidied.isprintable() and not any(
        unicodedata.category(character) in ("Cf", "Co", "Cn") for character in tidied
    )
    if not tidied or not is_visible or _NOT_IN_USERNAMES & set(tidied):
        raise ValidationError(_("This is nobody’s user name. Write it as in the wiki."))
    if len(tidied.encode()) > USERNAME_LENGTH:
        raise ValidationError(_("This name is too long."))
    return tidied
