"""What the wiki knows: its people, its consumer, who granted what; and how it misbehaves."""

import secrets
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Person:
    """`sub` is the central id: it stays when the name changes."""

    sub: str
    username: str
    email: str = ""
    confirmed_email: bool = False
    groups: list = field(default_factory=list)
    blocked: bool = False
    hidden: bool = False
    locked: bool = False


@dataclass
class Grant:
    person: Person
    secret: str = ""
    # OAuth 2: the refresh token that belongs to it, and when the access token ends.
    refresh: str = ""
    ends: float = 0


@dataclass
class Asked:
    """A request token (OAuth 1.0a) or an authorization code (OAuth 2) on its way."""

    secret: str = ""
    callback: str = ""
    verifier: str = ""
    challenge: str = ""
    person: Person | None = None


class Wiki:
    key, secret = "consumer-key-of-the-portal", "consumer-secret-of-the-portal-0123456789"

    def __init__(self):
        self.people = {}
        self.asked = {}
        self.grants = {}
        self.nonces = set()
        self.lock = threading.Lock()
        self.url = ""
        # What the next identities are wrong about; see `lies` for the words.
        self.lie = ""
        # "": well. "down": refuses with 503. "page": answers a page. "hangs": answers nothing.
        self.trouble = ""
        self.waiting = threading.Event()
        # OAuth 2: seconds that an access token lives.
        self.token_life = 3600
        # Every request, as (path or special page, parameters).
        self.requests = []

    def add(self, username, **facts):
        person = Person(sub=str(1000 + len(self.people)), username=username, **facts)
        self.people[person.sub] = person
        return person

    def named(self, username):
        return next(each for each in self.people.values() if each.username == username)

    def heal(self):
        self.lie = self.trouble = ""
        self.waiting.set()
        self.waiting = threading.Event()

    def revoke_grants(self, person):
        self.grants = {
            key: grant for key, grant in self.grants.items() if grant.person is not person
        }

    def ask(self, **facts):
        key = secrets.token_hex(16)
        self.asked[key] = Asked(secret=secrets.token_hex(16), **facts)
        return key, self.asked[key]

    def grant(self, person):
        key = secrets.token_hex(16)
        self.grants[key] = Grant(
            person,
            secret=secrets.token_hex(16),
            refresh=secrets.token_hex(16),
            ends=time.time() + self.token_life,
        )
        return key, self.grants[key]

    def identity(self, person):
        """What Special:OAuth/identify states about somebody, with the lie that was asked for."""
        now = int(time.time())
        claims = {
            "iss": self.url.partition("/w/")[0],
            "sub": person.sub,
            "aud": self.key,
            "exp": now + 100,
            "iat": now,
            "username": person.username,
            "editcount": 42,
            "confirmed_email": person.confirmed_email,
            "blocked": person.blocked,
            "registered": "20200102030405",
            "groups": ["*", "user", *person.groups],
            "rights": ["read"],
            "grants": ["mwoauth-authonlyprivate"],
            "realname": "",
            "email": person.email,
        }
        if person.hidden:
            del claims["username"]
            claims["blocked"] = True
        return self.lies(claims)

    def lies(self, claims):
        changes = {
            "issuer": {"iss": "https://wiki.evil.example"},
            "audience": {"aud": "another-consumer"},
            "expired": {"exp": claims["exp"] - 10_000, "iat": claims["iat"] - 10_000},
            "early": {"iat": claims["iat"] + 10_000},
            "nobody": {"sub": "0"},
            "number": {"sub": 1000},
            "nameless": {"username": ""},
            "groups": {"groups": "sysop"},
        }
        missing = {"no-sub": "sub", "no-expiry": "exp", "no-issuer": "iss", "no-blocked": "blocked"}
        changed = claims | changes.get(self.lie, {})
        changed.pop(missing.get(self.lie, ""), None)
        return changed
