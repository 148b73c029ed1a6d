"""`planhub consent record-paper`: a signed form, taken in by staff under their own name."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer

from consent.vocabulary import STATEMENTS, Element, Purpose
from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import (
    ByOption,
    ChildOption,
    agency_or_fail,
    child_or_fail,
    day_or_fail,
    end_of,
    guardian_or_fail,
    read_scan,
    sha256_hex,
    someone,
    start_of,
)
from gateway.cli.output import DryRunFlag, JsonFlag, YesFlag, confirm, fail, say, show, show_json
from gateway.exchange.wording import REASON, last_day, purposes_text, receipt_number, topics_text
from mappings.record.category import Category
from mappings.record.regime import Regime

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.exchange.paper import NotTaken, PaperForm
    from gateway.exchange.permission import Changed

GuardianOption = Annotated[
    str,
    typer.Option(
        "--guardian", help="Who signed: the link's id, or AGENCY:KEY, the agency's own number of them."
    ),
]

_USUAL = (Regime.EDU, Regime.FAM)
"""The laws whose form any signed and dated sentence of ours fulfils; a form for others says so, and so does --regime."""

WHY: dict[str, tuple[str, str, Exit]] = {
    "no-such-child": ("there is no such child", "planhub review list", Exit.USAGE),
    "no-such-agency": (
        "the agency has left the community",
        "planhub apply -f community.yaml",
        Exit.USAGE,
    ),
    "no-such-guardian": (
        "no such person is named for this child",
        "planhub consent guardians --child {child}",
        Exit.USAGE,
    ),
    "not-verified": (
        "this person was not verified as guardian, or is no longer one",
        "planhub consent verify-guardian --child {child} --guardian {guardian} --evidence FILE",
        Exit.NOT_ALLOWED,
    ),
    "no-authority": (
        "this person may not sign for one of these topics",
        "planhub consent guardians --child {child}",
        Exit.NOT_ALLOWED,
    ),
    "no-topic": ("it names no topic", "give --topic", Exit.USAGE),
    "not-alone": (
        "an extra-private topic is signed for alone",
        "record one form for each extra-private topic",
        Exit.USAGE,
    ),
    "not-a-request": (
        "no family signs for this purpose",
        "choose from: COC, TREAT, CAREMGT, STUSUP, REFOUT",
        Exit.USAGE,
    ),
    "lacks": ("it lacks what a law asks for", "planhub law show", Exit.CHECK_FAILED),
    "over": ("its last day has passed", "ask the family for a new form", Exit.USAGE),
    "not-yet-signed": ("it is dated in the future", "correct --signed-on", Exit.USAGE),
    "other-kind": (
        "the link says another relation, and a link never changes it",
        "verify them anew with --kind and without --guardian",
        Exit.CONFLICT,
    ),
    "ended": (
        "this person's authority was ended, and what they allowed must not come back with it",
        "verify them anew with --kind and without --guardian",
        Exit.CONFLICT,
    ),
    "twice": ("several rows are about the same person", "leave one of them", Exit.CONFLICT),
    "already": (
        "this very form is on record; if it was ended, a new signature is needed",
        "planhub consent show --child {child}",
        Exit.CONFLICT,
    ),
}


def not_taken(what: str, why: "NotTaken", child: UUID, guardian: str) -> NoReturn:
    """End with why it was not taken in, and what to do."""
    text, step, code = WHY[why]
    fail(what, text, step.format(child=child, guardian=guardian), code)


TopicsOption = Annotated[
    list[Category], typer.Option("--topic", help="A topic ticked on the form; repeat for each.")
]
PurposesOption = Annotated[
    list[Purpose], typer.Option("--purpose", help="A purpose the form states; repeat for each.")
]
RegimesOption = Annotated[
    list[Regime] | None,
    typer.Option(
        "--regime", help="A law whose form the text fulfils; repeat for each. Default: EDU and FAM."
    ),
]
StatesOption = Annotated[
    list[Element] | None,
    typer.Option(
        "--states",
        help="A sentence a law asks for that the printed text makes; repeat for each. See planhub law show.",
    ),
]
HoldersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--holder", help="Only facts this agency holds; repeat for each. Default: whoever holds them."
    ),
]


def record_paper(
    child: ChildOption,
    guardian: GuardianOption,
    agency: Annotated[str, typer.Option("--agency", help="Who may see it.")],
    topic: TopicsOption,
    purpose: PurposesOption,
    until: Annotated[str, typer.Option("--until", help="The last day, as 2027-06-30.")],
    form: Annotated[Path, typer.Option("--form", help="The scan; its SHA-256 is kept, not the scan.")],
    notice: Annotated[str, typer.Option("--notice", help="The printed text's ID@VERSION.")],
    locale: Annotated[str, typer.Option("--locale", help="The language it is printed in.")] = "en",
    signed_on: Annotated[str, typer.Option("--signed-on", help="When it was signed; default today.")] = "",
    regime: RegimesOption = None,
    states: StatesOption = None,
    holder: HoldersOption = None,
    by: ByOption = "",
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Record a signed paper form: `planhub consent record-paper --child ID --guardian ID --agency clinic --topic health
    --purpose COC --until 2027-06-30 --notice family-form@3 --form scan.pdf`.

    You attest with your name that you have the paper and saw who signed. Facts under a law the form was not made for
    stay closed: HLTH needs the sentences of 45 CFR 164.508(c)(2), P2 those of 42 CFR 2.31. Name each with --states; a form that
    lacks one is not recorded.
    """
    from gateway.exchange import paper

    text = _notice(notice, locale)
    scan = sha256_hex(read_scan("--form", form))
    with opened() as hub:
        found, zone = child_or_fail(hub, child), hub.place().zone
        signed = start_of(day_or_fail("--signed-on", signed_on), zone) if signed_on else hub.clock()
        taken = paper.PaperForm(
            child_id=found,
            guardian_link=guardian_or_fail(hub, found, guardian),
            recipient=agency_or_fail(hub, agency),
            topics=frozenset(topic),
            purposes=frozenset(purpose),
            until=end_of(day_or_fail("--until", until), zone),
            signed_at=signed,
            notice=text,
            form_sha256=scan,
            regimes=frozenset(regime or _USUAL),
            attested_by=someone(by),
            disclosers=frozenset(agency_or_fail(hub, one) for one in holder) if holder else None,
            states=_sentences(states or ()),
        )
        _record(hub, taken, guardian, dry_run=dry_run, yes=yes, json=json)


def _notice(notice: str, locale: str) -> tuple[str, str, str]:
    notice_id, _, version = notice.rpartition("@")
    if not notice_id or not version:
        fail(f"--notice {notice}", "it has no version", "write it as --notice family-form@3", Exit.USAGE)
    return notice_id, version, locale


def _sentences(named: Iterable[Element]) -> frozenset[Element]:
    found = frozenset(named)
    for one in sorted(found - STATEMENTS):
        step = f"choose from: {', '.join(sorted(STATEMENTS))}"
        fail(f"--states {one}", "it shows in the form itself and is no sentence of it", step, Exit.USAGE)
    return found


def _record(hub: "Hub", form: "PaperForm", guardian: str, *, dry_run: bool, yes: bool, json: bool) -> None:
    """Read the form back, have it attested, record it, and say what it opens."""
    from gateway.exchange import paper

    fault = paper.fault_of(hub, form, hub.clock())
    if fault is paper.NotTaken.LACKS:
        fail("the form was not recorded", *_what_it_lacks(hub, form), Exit.CHECK_FAILED)
    if fault is not None:
        not_taken("the form was not recorded", fault, form.child_id, guardian)
    say(_read_back(form, last_day(form.until, hub.place().zone)))
    if dry_run:
        say("Nothing changed. Run again without --dry-run.")
        return
    confirm(f"Do you, {form.attested_by}, attest that you have this signed paper?", yes=yes)
    done = paper.record(hub, form)
    if isinstance(done, paper.NotTaken):
        not_taken("the form was not recorded", done, form.child_id, guardian)
    _print_recorded(hub, form, done, json=json)
    if done.disputed:
        raise typer.Exit(Exit.CONFLICT)


def _what_it_lacks(hub: "Hub", form: "PaperForm") -> tuple[str, str]:
    """Why the form would permit nothing, and what to do: name the sentences if the text makes them."""
    from gateway.exchange import paper

    lacking = paper.lacking(hub, form, hub.clock())
    laws = ", ".join(sorted(form.regimes))
    named = " ".join(f"--states {one}" for one in lacking if one in STATEMENTS)
    step = (
        f"if the printed text says so, add {named}; else leave the law out" if named else "ask for a new form"
    )
    return f"it lacks what {laws} asks for: {', '.join(lacking)}", f"{step}: planhub law show"


def _read_back(form: "PaperForm", until: str) -> str:
    laws = ", ".join(sorted(form.regimes))
    return (
        f"Let {form.recipient} see {topics_text(form.topics | {Category.IDENTITY})}, {purposes_text(form.purposes)}, "
        f"until {until}. For facts under {laws}; facts under other laws stay closed."
    )


def _print_recorded(hub: "Hub", form: "PaperForm", done: "Changed", *, json: bool) -> None:
    from gateway.exchange.inquiry import check

    closed = []
    for purpose in sorted(form.purposes):
        answer = check(hub, form.child_id, form.recipient, form.topics, purpose)
        closed += [(purpose, one.topic, one.reason) for one in answer.topics if not one.allowed]
    number = receipt_number(done.subject)
    if json:
        show_json(
            {
                "directive": done.subject,
                "number": number,
                "entries": list(done.entries),
                "disputed": list(done.disputed),
                "attested_by": form.attested_by,
                "closed": [{"purpose": p.value, "topic": t.value, "reason": r.value} for p, t, r in closed],
            }
        )
        return
    show(f"{number}  recorded as {done.subject}, entry {', '.join(map(str, done.entries))}")
    for purpose, one, reason in closed:
        say(f"Still closed, {purposes_text([purpose])}: {topics_text([one])}: {REASON[reason]}")
    if done.disputed:
        say("Another guardian has said no to this: it stays closed until a person decides.")
