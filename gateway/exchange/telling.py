"""A log entry told to a family in one or two plain sentences: who, when, what about, why, on whose word. Never a value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from uuid import UUID

from consent.entry import ChangeEntry, DisclosureEntry, Entry, EntryKind
from consent.vocabulary import Basis, Effect
from gateway.exchange.inquiry import Guardian, Said
from gateway.exchange.wording import (
    GUARDIAN,
    REASON,
    last_day,
    moment_text,
    purposes_text,
    receipt_number,
    topics_text,
)
from mappings.record.category import Category

_GUARDIAN = "guardian:"
_STEWARD = "steward:"


@dataclass(frozen=True, slots=True)
class Context:
    """What ids stand for: agencies by key, what was signed, who may sign, and the clock on the wall."""

    agencies: Mapping[str, str]
    said: Mapping[UUID, Said]
    guardians: Mapping[UUID, Guardian]
    zone: tzinfo

    def party(self, name: str) -> str:
        """An agency's name, a guardian's relation to the child, or the hub's own review; else the key as it stands."""
        person = self.person(name)
        return self.agencies.get(name, name) if person is None else capital(person)

    def actor(self, name: str) -> str:
        """The same party named within a sentence rather than at its head."""
        return self.person(name) or self.agencies.get(name, name)

    def person(self, name: str) -> str | None:
        """Who a guardian or a reviewer is, in words; None for a name that is neither."""
        if name.startswith(_STEWARD):
            return "a person who reviews records"
        if name.startswith(_GUARDIAN):
            return self.guardian(name.removeprefix(_GUARDIAN))
        return None

    def guardian(self, link: str | UUID) -> str:
        """Who a guardian is to the child, in words."""
        known = {str(one): found for one, found in self.guardians.items()}
        found = known.get(str(link))
        return "a guardian" if found is None else GUARDIAN[found.kind]


def capital(text: str) -> str:
    """The first letter large."""
    return text[:1].upper() + text[1:]


def sentence(entry: Entry, topics: Collection[Category], context: Context, *, left: bool) -> str:
    """The entry in words. `topics` are those that may be told, `left` whether something really left."""
    when = moment_text(entry.at, context.zone)
    if isinstance(entry, ChangeEntry):
        return f"{when}: {_change(entry, topics, context)}"
    return f"{when}: {_flow(entry, topics, context, left=left)}"


_FLOW: Mapping[EntryKind, str] = {
    EntryKind.REQUEST: "{who} asked for {what}, {why}.",
    EntryKind.DISCLOSURE: "{who} saw {what}, {why}.{permission}",
    EntryKind.DENIAL: "{who} asked to see {what}, {why}, and saw nothing: {reasons}.",
    EntryKind.BREAK_GLASS: "In an emergency {who} saw {what}: {threat}.",
    EntryKind.RECALL: "{who} was told that what it has of {what} was taken back.",
    EntryKind.READ: "{who} read here: {description}.",
    EntryKind.WITHHELD: "{what} for {who} was stopped before it left: {reasons}.",
    EntryKind.NOT_SENT: "{what} for {who} did not leave.",
    EntryKind.ACKNOWLEDGED: "{who} confirmed: {description}.",
}
_NOT_LEFT = "{what} was on its way to {who}, and did not leave."
_OWN = "{who} read what it had itself sent ({what}), and nothing else."


def _flow(entry: DisclosureEntry, topics: Collection[Category], context: Context, *, left: bool) -> str:
    form = _FLOW[entry.kind]
    if entry.kind is EntryKind.DISCLOSURE and entry.basis is Basis.OWN:
        form = _OWN
    if entry.kind is EntryKind.DISCLOSURE and not left:
        form = _NOT_LEFT
    return form.format(
        who=context.party(entry.recipient),
        what=topics_text(topics),
        why=purposes_text([entry.purpose]),
        permission=_permission(entry, context),
        reasons=_reasons(entry, topics),
        threat=entry.emergency.threat_statement if entry.emergency else "",
        description=entry.description,
    )


def _permission(entry: DisclosureEntry, context: Context) -> str:
    """By which of the family's sentences, and until when."""
    if not entry.directive_ids:
        return ""
    numbers = ", ".join(receipt_number(one) for one in entry.directive_ids)
    until = f", until {last_day(entry.valid_until, context.zone)}" if entry.valid_until else ""
    return f" Allowed by {numbers}{until}."


def _reasons(entry: DisclosureEntry, topics: Collection[Category]) -> str:
    """Why not, each reason once, with its topics where they differ; who the child is has no reason of its own."""
    matters = set(topics) - {Category.IDENTITY} or set(topics)
    why: dict[str, list[Category]] = {}
    for topic in sorted(matters):
        if topic in entry.reasons:
            why.setdefault(REASON[entry.reasons[topic]], []).append(topic)
    if len(why) <= 1:
        return next(iter(why), "nobody has allowed it")
    return "; ".join(f"{words} ({topics_text(of)})" for words, of in why.items())


_CHANGE: Mapping[EntryKind, str] = {
    EntryKind.DIRECTIVE_GIVEN: "{signer} said: {let} {party} see {what}, {why}{until} ({number}, entered by {actor}).",
    EntryKind.DIRECTIVE_ENDED: "{number}, about what {party} may see, was ended, entered by {actor}.",
    EntryKind.GUARDIAN_VERIFIED: "{guardian} was verified as someone who may decide, by {actor}.",
    EntryKind.GUARDIAN_ENDED: "{guardian} is no longer someone who may decide, entered by {actor}.",
    EntryKind.RESTRAINT_SET: "What may be shared changed, entered by {actor}.",
    EntryKind.RESTRAINT_ENDED: "What may be shared changed, entered by {actor}.",
    EntryKind.CHILD_FACTS_CHANGED: "The birth date or place that says who may decide was corrected by {actor}.",
    EntryKind.AGREEMENT_CHANGED: "An agency's agreement changed, entered by {actor}.",
    EntryKind.KEY_DESTROYED: "The record was erased by {actor}.",
    EntryKind.ERASURE_ASKED: "It was asked that the record be erased, by {actor}; another person must confirm it.",
    EntryKind.LEGAL_HOLD_SET: "The record may not be erased for now, entered by {actor}.",
    EntryKind.LEGAL_HOLD_LIFTED: "The record may be erased again once no law keeps it, entered by {actor}.",
}


def _change(entry: ChangeEntry, topics: Collection[Category], context: Context) -> str:
    said = context.said.get(entry.subject)
    words = {"actor": context.actor(entry.actor), "guardian": capital(context.guardian(entry.subject))}
    return _CHANGE[entry.kind].format(**words, **_signed(said, topics, context))


def _signed(said: Said | None, topics: Collection[Category], context: Context) -> dict[str, str]:
    """What was signed, in words; empty where the entry is about nothing that is signed."""
    if said is None:
        return dict.fromkeys(("signer", "let", "party", "what", "why", "until", "number"), "")
    return {
        "signer": capital(context.guardian(said.signer_link)),
        "let": "let" if said.effect is Effect.PERMIT else "do not let",
        "party": context.party(said.recipient),
        "what": topics_text(topics),
        "why": purposes_text(said.purposes),
        "until": f", until {last_day(said.valid_until, context.zone)}" if said.valid_until else "",
        "number": said.number,
    }
