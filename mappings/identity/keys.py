"""What a source says about who a child is, folded so that two sources can be compared.

Pure: no dictionary of nicknames, no fuzzy score, no frequency of names. Two spellings of one name agree here only when
folding makes them equal or one is part of the other.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from mappings.record.assertion import Draft
from mappings.record.kind import Kind
from mappings.record.person import NameUse, Sex

_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
        "ħ": "h",
        "ŋ": "ng",
    }
)
"""Letters that Unicode does not decompose but that English-language systems write without their stroke."""

_DROPPED = frozenset("'\u2019\u2018`\u00b4\u02bc.\u00b7")
"""Marks inside a name that systems write or leave out: O'Neil and ONeil are one token."""

PARTICLES = frozenset(
    {
        "al",
        "ap",
        "bin",
        "bint",
        "da",
        "das",
        "de",
        "del",
        "der",
        "di",
        "dos",
        "du",
        "el",
        "la",
        "las",
        "le",
        "los",
    }
    | {"mac", "mc", "san", "st", "ten", "ter", "van", "von", "y"}
)
"""Words that join surnames and are shared by unrelated families: alone they never make two surnames agree."""

PLACEHOLDERS = frozenset(
    {
        "baby",
        "boy",
        "girl",
        "infant",
        "newborn",
        "twin",
        "female",
        "male",
        "unknown",
        "test",
        "child",
        "student",
        "nn",
    }
)
"""Words a system writes where it has no name (newborn units, test records); such a name proves nothing."""


class KeyRule(StrEnum):
    """Which rule made a blocking key. Stored beside the key; never reuse a retired name."""

    IDENTIFIER = "identifier"
    SURNAME_BIRTH = "surname-birth-date"
    FULL_NAME = "given-surname"


class IdentifierKey(NamedTuple):
    """An identifier as it is compared: who gave it and under which system, both folded, and its value."""

    system: str
    assigner: str
    value: str


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name as tokens. `old` names lead to a review, never to certainty."""

    given: tuple[str, ...] = ()
    surname: tuple[str, ...] = ()
    middle: tuple[str, ...] = ()
    old: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """All that matching may know of one source identity; sealed at rest, opened only for candidates.

    More than one birth date means the source contradicts itself, and then it is never certain.
    """

    names: tuple[PersonName, ...] = ()
    birth_dates: tuple[date, ...] = ()
    identifiers: tuple[IdentifierKey, ...] = ()
    sexes: tuple[Sex, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the source said nothing by which a child could be known."""
        return not (self.names or self.birth_dates or self.identifiers)


class BlockingKey(NamedTuple):
    """A key by which candidates are found; hashed with the deployment's secret before it is stored."""

    rule: KeyRule
    text: str


@lru_cache(maxsize=65_536)
def tokens(text: str) -> tuple[str, ...]:
    """A name as comparable words: NFKD without marks, lower case, apostrophes dropped, split at anything else.

    `José-María O'Neil` gives `jose, maria, oneil`. Scripts other than Latin keep their letters and compare by equality.
    """
    out: list[str] = []
    word: list[str] = []
    for character in unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS):
        if unicodedata.combining(character) or character in _DROPPED:
            continue
        if character.isalnum():
            word.append(character)
        elif word:
            out.append("".join(word))
            word = []
    if word:
        out.append("".join(word))
    return tuple(out)


def system_key(text: str) -> str:
    """The name of an identifier system or assigner as it is compared: case and white space do not count."""
    return " ".join(text.casefold().split())


def identifier_key(system: str, assigner: str, value: str) -> IdentifierKey:
    """An identifier as it is compared. Leading zeros count: 007 and 7 are two numbers until their assigner says else."""
    return IdentifierKey(
        system_key(system),
        system_key(assigner),
        "".join(unicodedata.normalize("NFKC", value).casefold().split()),
    )


def features_of(drafts: Iterable[Draft]) -> Features:
    """What the identity facts of one source record, or of several about one person, amount to."""
    names: dict[PersonName, None] = {}
    births: set[date] = set()
    identifiers: set[IdentifierKey] = set()
    sexes: set[Sex] = set()
    for draft in drafts:
        value = draft.value
        match draft.kind:
            case Kind.NAME:
                names[_name(value)] = None
            case Kind.BIRTH_DATE:
                births.add(date.fromisoformat(str(value["date"])))
            case Kind.IDENTIFIER:
                identifiers.add(identifier_key(value["system"], value["assigner"], value["value"]))
            case Kind.SEX_FOR_MATCHING if value["sex"] != Sex.UNKNOWN:
                sexes.add(Sex(value["sex"]))
            case _:
                pass
    return Features(
        names=tuple(names),
        birth_dates=tuple(sorted(births)),
        identifiers=tuple(sorted(identifiers)),
        sexes=tuple(sorted(sexes)),
    )


def _name(value: dict[str, str]) -> PersonName:
    return PersonName(
        given=tokens(value.get("given") or ""),
        surname=tokens(value.get("family") or ""),
        middle=tokens(value.get("middle") or ""),
        old=value.get("use") == NameUse.OLD,
    )


def merged(first: Features, second: Features) -> Features:
    """What two records of one source say of one person, taken together."""
    return Features(
        names=tuple(dict.fromkeys([*first.names, *second.names])),
        birth_dates=tuple(sorted({*first.birth_dates, *second.birth_dates})),
        identifiers=tuple(sorted({*first.identifiers, *second.identifiers})),
        sexes=tuple(sorted({*first.sexes, *second.sexes})),
    )


def significant(surname: Iterable[str]) -> frozenset[str]:
    """The surname tokens that tell families apart; the particles too where there is nothing else."""
    words = frozenset(surname)
    return words - PARTICLES or words


def is_placeholder(name: PersonName) -> bool:
    """Whether a name stands in for one that was not known."""
    return bool(PLACEHOLDERS.intersection(name.given))


def blocking_keys(features: Features) -> Iterator[BlockingKey]:
    """The keys under which another record of the same child would be found, each once.

    Same identifier; same surname token and birth date; same given and surname token whatever the birth date (for a
    mistyped one). Given name and birth date alone make no key: in a district they bring up one stranger in fifty.
    """
    seen: set[BlockingKey] = set()
    for key in _keys(features):
        if key not in seen:
            seen.add(key)
            yield key


def _keys(features: Features) -> Iterator[BlockingKey]:
    for identifier in features.identifiers:
        yield BlockingKey(KeyRule.IDENTIFIER, "\x1f".join(identifier))
    for name in features.names:
        for surname in sorted(significant(name.surname)):
            for born in features.birth_dates:
                yield BlockingKey(KeyRule.SURNAME_BIRTH, f"{surname}\x1f{born.isoformat()}")
            for given in name.given:
                yield BlockingKey(KeyRule.FULL_NAME, f"{given}\x1f{surname}")
