"""`planhub consent verify-guardian`: the hub's own step from which a guardian's authority comes."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from consent.guardian import Authority, GuardianKind
from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import (
    ByOption,
    ChildOption,
    child_or_fail,
    day_or_fail,
    end_of,
    guardian_or_fail,
    read_scan,
    someone,
    start_of,
)
from gateway.cli.output import JsonFlag, YesFlag, confirm, fail, show, show_json
from gateway.cli.paper import not_taken
from mappings.record.category import Category

if TYPE_CHECKING:
    from gateway.exchange.paper import Verification
    from gateway.exchange.permission import Changed

CandidateOption = Annotated[
    str,
    typer.Option(
        "--guardian", help="The candidate: the link's id, or AGENCY:KEY. Left out: someone no feed named."
    ),
]
EvidenceOption = Annotated[
    str,
    typer.Option("--evidence", help="The scan of what was seen, or the id of its file in your own register."),
]
KindOption = Annotated[
    GuardianKind | None,
    typer.Option("--kind", help="Who the person is to the child; needed without --guardian."),
]
WithoutOption = Annotated[
    list[Category] | None, typer.Option("--without", help="A topic the papers leave out; repeat for each.")
]


class Found(StrEnum):
    """What a verification found."""

    VERIFIED = "verified"
    NONE = "none"


def verify_guardian(
    child: ChildOption,
    evidence: EvidenceOption,
    guardian: CandidateOption = "",
    kind: KindOption = None,
    found: Annotated[
        Found, typer.Option("--found", help="`none`: the person has no authority.")
    ] = Found.VERIFIED,
    without: WithoutOption = None,
    since: Annotated[
        str, typer.Option("--from", help="The first day, where the papers name one to come.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="The last day of the authority, as 2027-06-30.")] = "",
    by: ByOption = "",
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Record who is a child's guardian: `planhub consent verify-guardian --child ID --guardian ID --evidence papers.pdf`.

    What a school's feed says makes a candidate and no more; authority comes from this step, in your name.
    """
    from gateway.exchange import paper

    if not guardian and kind is None:
        fail(
            "who", "neither --guardian nor --kind is given", "planhub consent guardians --child …", Exit.USAGE
        )
    evidence_id = _evidence(evidence)
    with opened() as hub:
        child_id = child_or_fail(hub, child)
        verification = paper.Verification(
            child_id=child_id,
            guardian_link=guardian_or_fail(hub, child_id, guardian) if guardian else None,
            kind=kind,
            authority=Authority(found.value),
            evidence_id=evidence_id,
            verified_by=someone(by),
            since=start_of(day_or_fail("--from", since), hub.place().zone) if since else None,
            until=end_of(day_or_fail("--until", until), hub.place().zone) if until else None,
            restricted=frozenset(without or ()),
        )
        confirm(f"Do you, {verification.verified_by}, attest that you have seen these papers?", yes=yes)
        done = paper.verify(hub, verification)
    if isinstance(done, paper.NotTaken):
        not_taken("not recorded", done, child_id, guardian)
    _print(verification, done, json=json)


def _print(verification: "Verification", done: "Changed", *, json: bool) -> None:
    if json:
        show_json(
            {"guardian": done.subject, "evidence": verification.evidence_id, "entries": list(done.entries)}
        )
        return
    entries = ", ".join(map(str, done.entries))
    authority, evidence = verification.authority.value, verification.evidence_id
    show(f"{done.subject}  {authority}, evidence {evidence}, entry {entries}")


def _evidence(text: str) -> UUID:
    from gateway.exchange.paper import evidence_of

    try:
        return UUID(text)
    except ValueError:
        return evidence_of(read_scan("--evidence", Path(text)))
