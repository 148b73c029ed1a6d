"""When something went wrong: whose facts may be in wrong hands, which, under which duty to tell whom by when, and drafts.

From a stolen key, a partner, a wrong link or a span of time. Nothing of the record is opened: ids, topics and regimes lie in
clear beside what is sealed, so nothing is disclosed by looking. Children are named by a case reference, never by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from consent.duty import Notifying
from gateway.exchange.context import Hub
from gateway.exchange.duties import shipped_duties
from gateway.exchange.naming import agencies
from gateway.exchange.wording import topics_text
from gateway.store.configuration import read_place
from gateway.store.incidents import Exposure, Search, exposures
from mappings.record.category import Category
from mappings.record.regime import Regime

_CASE_LETTERS = 12


def case_reference(child: UUID) -> str:
    """The hub's own reference of a case: the last letters of its id, by which every command finds it again."""
    return str(child)[-_CASE_LETTERS:]


@dataclass(frozen=True, slots=True)
class Owing:
    """One duty to tell: of so many children, by this day; None without unreasonable delay."""

    regime: Regime
    rule: Notifying
    children: int
    by: date | None


@dataclass(frozen=True, slots=True)
class Incident:
    """What may be in wrong hands, and what is owed. `names` are the agencies', by key; `learned` when it was found out."""

    search: Search
    learned: date
    exposures: tuple[Exposure, ...]
    owing: tuple[Owing, ...]
    names: Mapping[str, str]

    @property
    def children(self) -> int:
        """How many children it touches."""
        return len({one.child_id for one in self.exposures})


def incident(hub: Hub, search: Search, learned: date) -> Incident:
    """What was let out, and the duties that follow, by the rows in force where the community is on that day."""
    with hub.db.transaction() as conn:
        found = exposures(conn, search)
        place, names = read_place(conn), agencies(conn)
    owing = []
    for regime in Regime:
        touched = {one.child_id for one in found if regime in one.regimes}
        if not touched:
            continue
        for rule in shipped_duties().notices(place.jurisdiction, learned, regime, len(touched)):
            by = None if rule.within_days is None else learned + timedelta(days=rule.within_days)
            owing.append(Owing(regime, rule, len(touched), by))
    ordered = sorted(owing, key=lambda one: (one.by or date.max, one.rule.id))
    return Incident(search, learned, tuple(found), tuple(ordered), names)


_DRAFT = """DRAFT. Not sent. A person checks every line, and counsel reads it, before anything leaves.

To:       {tell}
Under:    {section} ({evidence})
At the latest: {by}

What happened: [to be written]
When: between {first} and {last}; found out on {learned}.
What it was about: {topics}.
Of how many children: {children}.
Who received it: {recipients}.
What those concerned can do: [to be written]
What we do about it: [to be written]
Whom to ask: [name, telephone, address, e-mail]
"""


def draft(found: Incident, owing: Owing) -> str:
    """A notice to be completed by a person. It carries numbers and topics and no case: who is written to learns of no other."""
    concerned = [one for one in found.exposures if owing.regime in one.regimes]
    return _DRAFT.format(
        tell=owing.rule.tell,
        section=owing.rule.section,
        evidence=owing.rule.evidence.value,
        by=owing.by.isoformat() if owing.by else "without unreasonable delay",
        first=min(one.first_at for one in concerned).date().isoformat(),
        last=max(one.last_at for one in concerned).date().isoformat(),
        learned=found.learned.isoformat(),
        topics=topics_text(_topics(concerned)),
        children=owing.children,
        recipients=", ".join(sorted({found.names.get(one.recipient, one.recipient) for one in concerned})),
    )


def _topics(concerned: Sequence[Exposure]) -> frozenset[Category]:
    return frozenset(topic for one in concerned for topic in one.categories)
