"""A referral as a row of the worklist sheet: for a provider with nothing but e-mail and a spreadsheet.

The map `planhub/worklist-out` makes the cells; here the view is laid out for it, the guardian to call is chosen, and the sheet
is written: CSV (RFC 4180) in UTF-8 with a byte order mark, as spreadsheet programs expect, each cell safe from being taken
for a formula. The columns are the template's (community.md §2.3); the provider fills in the rest and sends it back.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.engine.shipped import shipped_map
from mappings.organization import Organizations
from mappings.outward import Value, in_order, outward_document, tagged
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.kind import Kind
from mappings.view import RecordView, ViewedAssertion

MEDIA_TYPE = "text/csv"
MAP_ID = "planhub/worklist-out"

COLUMNS = (
    "row_id", "referral_id", "child_ref", "child_name", "child_birth_date", "school", "guardian_name", "guardian_phone",
    "guardian_language", "do_not_contact", "topic", "service", "request", "priority", "referred_by", "requested_on",
    "needed_by", "status", "status_date", "outcome", "reason", "sessions", "hours", "first_service_on", "service_date",
    "minutes", "attended", "absence_reason", "period_start", "period_end", "days_expected", "days_present", "notice",
    "note_internal",
)  # fmt: skip
"""The header, in order. From `status` on, but for `notice`, it is the provider's to fill in."""

_HIDDEN_STATES = frozenset({"draft", "awaiting-consent"})
_NANP = 12  # +1 and ten digits


@dataclass(frozen=True, slots=True)
class SheetReferral:
    """Which referral of the view goes out: its outward assertion id, the recipient's reference of it, who asks."""

    assertion_id: str
    ref: str
    requester: str


@dataclass(frozen=True, slots=True)
class Worklist:
    """A sheet ready to send, and exactly what it was made of."""

    content: bytes
    rows: tuple[Mapping[str, str], ...]
    categories: frozenset[Category]
    assertion_ids: frozenset[str]
    issues: tuple[Issue, ...]


def from_view(
    view: RecordView,
    *,
    organizations: Organizations,
    referrals: Sequence[SheetReferral],
    worklist_map: CompiledMap | None = None,
) -> Worklist:
    """The sheet of one child's referrals; `worklist_map` is the published map the connection names, else the shipped one.

    A referral that is not in the view, or still a draft, gives an issue and no row.
    """
    source, issues = view_document(view, organizations, referrals)
    result = (worklist_map or shipped_map(MAP_ID)).run(source)
    rows = tuple({name: str(output.value.get(name, "")) for name in COLUMNS} for output in result.outputs)
    uses = frozenset(use for output in result.outputs for use in output.uses)
    known = {item.id: item.category for item in view.assertions}
    categories = frozenset(known[use] for use in uses)
    return Worklist(sheet(rows), rows, categories, uses, (*issues, *result.issues))


def view_document(
    view: RecordView, organizations: Organizations, referrals: Sequence[SheetReferral]
) -> tuple[dict[str, Any], tuple[Issue, ...]]:
    """The source document of the map: the referrals asked for, each with its latest event, and the guardian to call."""
    whole = outward_document(view, organizations)
    source: dict[str, Any] = {name: whole[name] for name in ("name", "birth_date", "enrollment")}
    contact = _contact(view)
    if contact:
        source["contact"] = contact
    by_id = {item.id: item for item in in_order(view) if item.kind is Kind.REFERRAL}
    rows: list[Value] = []
    issues: list[Issue] = []
    for wanted in referrals:
        item = by_id.get(wanted.assertion_id)
        row = _row(item, wanted, view, organizations) if item else None
        if row is None:
            text = "a referral that is a draft or not in the view was left out"
            issues.append(
                Issue(severity=Severity.WARNING, code=IssueCode.FORBIDDEN, path="view.referral", text=text)
            )
        else:
            rows.append(row)
    return {**source, "referral": rows}, tuple(issues)


def _row(
    item: ViewedAssertion, wanted: SheetReferral, view: RecordView, organizations: Organizations
) -> Value | None:
    events = [one for one in view.of(Kind.REFERRAL_EVENT) if item.id in one.links]
    event = max(events, key=lambda one: (one.value["at"], one.asserted_at, one.id), default=None)
    if event and event.value["state"] in _HIDDEN_STATES:
        return None
    asks = organizations.party(wanted.requester, view.categories)
    row: Value = {
        **tagged(item),
        **item.value,
        "ref": wanted.ref,
        "child_ref": view.child_ref,
        "topic": str(item.category),
        "referred_by": asks.name if asks else organizations.hub,
        "notice": " ".join(view.notices),
    }
    if event:
        row["event"] = {**tagged(event), **event.value, "on": event.value["at"][:10]}
    return row


def _contact(view: RecordView) -> Value | None:
    """The guardian to call: nobody a restriction stands against; who lives with the child and has a number comes first."""
    free = [
        item
        for item in in_order(view)
        if item.kind is Kind.GUARDIAN and not item.value.get("contact_restricted")
    ]
    ranked = sorted(
        free,
        key=lambda item: (
            _phone(item) is None,
            not item.value.get("lives_with"),
            not item.value.get("legal_guardian"),
        ),
    )
    if not ranked:
        return None
    first = ranked[0]
    name = first.value["name"]
    return {
        **tagged(first),
        "name": " ".join(part for part in (name.get("given"), name["family"]) if part),
        "phone": _phone(first),
        **first.value.get("language", {}),
    }


def _phone(item: ViewedAssertion) -> str | None:
    """A number to call that is not kept confidential, North American ones as people write them."""
    numbers = [
        one["value"]
        for one in item.value.get("telecoms", ())
        if one["system"] in {"phone", "sms"} and not one.get("confidential")
    ]
    if not numbers:
        return None
    number: str = numbers[0]
    if number.startswith("+1") and len(number) == _NANP and number[1:].isdecimal():
        return f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    return number


def sheet(rows: Sequence[Mapping[str, str]]) -> bytes:
    """The file: header and rows, CR LF between them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([safe_cell(row[name]) for name in COLUMNS] for row in rows)
    return out.getvalue().encode("utf-8-sig")


_STARTS_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")


def safe_cell(text: str) -> str:
    """A cell no spreadsheet program takes for a formula or a command (OWASP, CSV injection).

    Control characters, line breaks among them, become spaces; what then begins, after any white space or quote, with a
    character that starts a formula, its full-width forms included, gets an apostrophe before it.
    """
    plain = "".join(character if character.isprintable() else " " for character in text).strip()
    bare = plain.lstrip(" \u00a0'\"\u2018\u2019\u201c\u201d")
    return f"'{plain}" if bare.startswith(_STARTS_FORMULA) else plain
