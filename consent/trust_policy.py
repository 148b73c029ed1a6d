"""Whom to believe about a log: its keys, its witnesses, and how many of them make a quorum (C2SP tlog-policy).

```
log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> all|any|<k> <name>...
quorum <name>|none
```
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consent.cosignature import CosignerKey
from consent.note import VerifierKey

MOST_LINES = 1_000
_NONE = "none"
_ALLOWED = re.compile(r"[\t\n\x20-\x7e\x80-\U0010ffff]*")
_COUNT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_URL = re.compile(r"https?://[^\s]+")


@dataclass(frozen=True, slots=True)
class Log:
    """A log that is believed where it signed with this key."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness under its name in the policy; `url` is its submission prefix, without a slash at the end."""

    name: str
    key: CosignerKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """At least `least` of these, each a witness or another group."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """A policy as its file states it, in the file's order. `quorum` names a witness or group; None asks for no cosignature."""

    logs: tuple[Log, ...]
    witnesses: Mapping[str, Witness]
    groups: Mapping[str, Group]
    quorum: str | None

    def log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys of the log that speaks under this origin."""
        return tuple(log.key for log in self.logs if log.key.name == origin)

    @property
    def cosigners(self) -> tuple[CosignerKey, ...]:
        """The keys of all witnesses."""
        return tuple(witness.key for witness in self.witnesses.values())

    def met_by(self, cosigned: Collection[CosignerKey]) -> bool:
        """Whether these witnesses together make the quorum."""
        return self.quorum is None or self._holds(self.quorum, cosigned)

    def _holds(self, name: str, cosigned: Collection[CosignerKey]) -> bool:
        witness = self.witnesses.get(name)
        if witness is not None:
            return witness.key in cosigned
        group = self.groups[name]
        return sum(self._holds(member, cosigned) for member in group.members) >= group.least


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """Why a policy file is not one: the line, counted from 1, and what is wrong there; line 0 means the file as a whole."""

    line: int
    text: str


class _Reading:
    """The file as far as it has been read."""

    def __init__(self) -> None:
        self.logs: list[Log] = []
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: list[str] = []
        self._members: set[str] = set()

    def line(self, words: list[str]) -> str | None:
        """Take one line; what is wrong with it, or None."""
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                return self._log(vkey, url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                return self._witness(name, vkey, url)
            case ["group", name, least, *members] if members:
                return self._group(name, least, members)
            case ["quorum", name]:
                return self._quorum(name)
        return "it is not `log`, `witness`, `group` or `quorum` with what belongs to it"

    def _log(self, vkey: str, url: list[str]) -> str | None:
        key = VerifierKey.parse(vkey)
        if key is None:
            return "this is not the key of a log (Ed25519, type 01)"
        if any(log.key.public == key.public for log in self.logs):
            return "this log's key stands twice"
        self.logs.append(Log(key, _address(url)))
        return _bad_address(url)

    def _witness(self, name: str, vkey: str, url: list[str]) -> str | None:
        key = CosignerKey.parse(vkey)
        if key is None:
            return "this is not the key of a witness (Ed25519 cosignature, type 04)"
        if any(witness.key.public == key.public for witness in self.witnesses.values()):
            return "this witness's key stands twice"
        fault = self._name(name) or _bad_address(url)
        self.witnesses[name] = Witness(name, key, _address(url))
        return fault

    def _group(self, name: str, least: str, members: list[str]) -> str | None:
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                return f"{member} is not defined above"
            if member in self._members:
                return f"{member} is a member already; each counts once"
            self._members.add(member)
        count = {"all": len(members), "any": 1}.get(least) or (int(least) if _COUNT.fullmatch(least) else 0)
        if not 1 <= count <= len(members):
            return f"how many of {len(members)} it takes is `all`, `any` or a number up to {len(members)}"
        fault = self._name(name)
        self.groups[name] = Group(count, tuple(members))
        return fault

    def _quorum(self, name: str) -> str | None:
        if self.quorum:
            return "the quorum stands twice"
        self.quorum.append(name)
        known = name == _NONE or name in self.witnesses or name in self.groups
        return None if known else f"{name} is not defined above"

    def _name(self, name: str) -> str | None:
        taken = name == _NONE or name in self.witnesses or name in self.groups
        return f"{name} is taken" if taken else None


def parse_policy(text: str) -> TrustPolicy | PolicyFault:
    """The policy a file states, or the first fault in it."""
    lines = text.split("\n")
    if not _ALLOWED.fullmatch(text) or len(lines) > MOST_LINES:
        return PolicyFault(0, "it holds control characters or more than a thousand lines")
    reading = _Reading()
    for number, line in enumerate(lines, start=1):
        words = re.split(r"[ \t]+", line.strip(" \t"))
        if words == [""] or words[0].startswith("#"):
            continue
        fault = reading.line(words)
        if fault is not None:
            return PolicyFault(number, fault)
    if not reading.quorum:
        return PolicyFault(0, "it has no quorum line; `quorum none` asks for no cosignature")
    quorum = None if reading.quorum[0] == _NONE else reading.quorum[0]
    return TrustPolicy(tuple(reading.logs), reading.witnesses, reading.groups, quorum)


def _address(url: list[str]) -> str | None:
    return url[0].rstrip("/") if url else None


def _bad_address(url: list[str]) -> str | None:
    return (
        None if not url or _URL.fullmatch(url[0]) else "its address does not begin with https:// or http://"
    )
