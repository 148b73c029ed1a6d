"""`planhub consent …`: what a family said, whether something may go out, who saw what. Taking in paper: `gateway.cli.paper`."""

import csv
import sys
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consent.vocabulary import Effect, Purpose
from gateway.cli.account import GuardianOption, account, fhir, not_told, only_guardian
from gateway.cli.ask import ask, asks
from gateway.cli.erase import erase, hold
from gateway.cli.exits import Exit
from gateway.cli.explain import explain
from gateway.cli.guardian import verify_guardian
from gateway.cli.hub import opened
from gateway.cli.named import ByOption, ChildOption, agency_or_fail, child_or_fail, guardian_or_fail, someone
from gateway.cli.output import JsonFlag, fail, say, show, show_json, table
from gateway.cli.paper import record_paper
from gateway.cli.registration import verify_guardians
from gateway.cli.stop import revoke
from gateway.exchange.wording import REASON, last_day, purposes_text, receipt_number, topics_text
from mappings.record.category import Category

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.exchange.inquiry import Answer, Said

app = typer.Typer(
    no_args_is_help=True,
    help="What families said: planhub consent check --child ID --agency KEY --topic school",
)
app.command("record-paper")(record_paper)
app.command("verify-guardian")(verify_guardian)
app.command("verify-guardians")(verify_guardians)
app.command()(revoke)
app.command()(erase)
app.command()(hold)
app.command()(explain)
app.command()(ask)
app.command()(asks)
app.command()(account)
app.command()(fhir)

TopicsOption = Annotated[
    list[Category], typer.Option("--topic", help="The topic; may be given several times.")
]


@app.command()
def check(
    child: ChildOption,
    agency: Annotated[str, typer.Option("--agency", help="Who would see it.")],
    topic: TopicsOption,
    purpose: Annotated[Purpose, typer.Option("--purpose", help="Why.")] = Purpose.CARE_COORDINATION,
    json: JsonFlag = False,
) -> None:
    """Say whether an agency may see a topic now: `planhub consent check --child ID --agency clinic --topic health`.

    Yes or no, why, and until when; nothing of the record is shown and nothing is sent. No ends with code 6.
    """
    from gateway.exchange.inquiry import check as ask

    with opened() as hub:
        agency_or_fail(hub, agency)
        answer = ask(hub, child_or_fail(hub, child), agency, topic, purpose)
        _print_answer(hub, answer, json=json)
    if not answer.allowed:
        raise typer.Exit(Exit.REFUSED_BY_CONSENT)


def _print_answer(hub: "Hub", answer: "Answer", *, json: bool) -> None:
    if json:
        topics = [
            {
                "topic": one.topic.value,
                "allowed": one.allowed,
                "reason": one.reason.value,
                "standing": one.standing.value if one.standing else None,
                "permissions": [receipt_number(found) for found in one.directives],
                "directives": list(one.directives),
                "until": one.until.isoformat() if one.until else None,
            }
            for one in answer.topics
        ]
        show_json({"allowed": answer.allowed, "at": answer.at.isoformat(), "topics": topics})
        return
    zone = hub.place().zone
    for one in answer.topics:
        numbers = [receipt_number(found) for found in one.directives]
        until = f"until {last_day(one.until, zone)}" if one.until else ""
        if one.allowed:
            show(f"yes: {topics_text([one.topic])} ({', '.join(filter(None, [*numbers, until]))})")
        else:
            show(f"no: {topics_text([one.topic])}: {REASON[one.reason]}{_instead(answer, zone)}")


def _instead(answer: "Answer", zone: tzinfo) -> str:
    """What the family does share with this agency, for whoever is told no."""
    if not answer.shared:
        return ""
    told = (
        ", ".join(
            filter(
                None,
                [
                    topics_text(one.categories - {Category.IDENTITY}),
                    receipt_number(one.directive_id),
                    f"until {last_day(one.valid_until, zone)}" if one.valid_until else "",
                ],
            )
        )
        for one in answer.shared
    )
    return f"; the family shared {'; '.join(told)}"


@app.command("show")
def show_said(child: ChildOption, json: JsonFlag = False) -> None:
    """Show everything signed for a child, one sentence each: `planhub consent show --child ID`."""
    from gateway.exchange import inquiry, naming
    from gateway.store.configuration import read_place

    with opened() as hub:
        found = child_or_fail(hub, child)
        with hub.db.transaction() as conn:
            said = inquiry.said(conn, found)
            agencies = naming.agencies(conn)
            zone = read_place(conn).zone
        at = hub.clock()
        if json:
            show_json({"child": found, "said": [_said_json(one, at) for one in said]})
            return
        for one in said:
            show(_said_text(one, agencies, at, zone))
        if not said:
            say("Nothing has been signed for this child: nothing may leave.")


def _said_json(one: "Said", at: datetime) -> dict[str, Any]:
    return {
        "number": one.number,
        "directive": one.directive_id,
        "effect": one.effect.value,
        "agency": one.recipient,
        "topics": sorted(one.categories),
        "purposes": sorted(one.purposes),
        "from": one.valid_from.isoformat(),
        "until": one.valid_until.isoformat() if one.valid_until else None,
        "state": one.state.value,
        "holds": one.holds(at),
        "guardian": one.signer_link,
        "recorded_at": one.recorded_at.isoformat(),
        "ended_at": one.ended_at.isoformat() if one.ended_at else None,
    }


def _said_text(one: "Said", agencies: dict[str, str], at: datetime, zone: tzinfo) -> str:
    let = "let" if one.effect is Effect.PERMIT else "do not let"
    until = f", until {last_day(one.valid_until, zone)}" if one.valid_until else ""
    who = agencies.get(one.recipient, one.recipient)
    stands = (
        "holds"
        if one.holds(at)
        else f"ended {last_day(one.ended_at, zone)}"
        if one.ended_at
        else one.state.value
    )
    if one.valid_until is not None and one.valid_until <= at and one.ended_at is None:
        stands = "over"
    why = purposes_text(one.purposes)
    return f"{one.number}  {stands}: {let} {who} see {topics_text(one.categories)}, {why}{until}"


@app.command()
def guardians(child: ChildOption, json: JsonFlag = False) -> None:
    """List who is named as guardian of a child, and who of them was verified: `planhub consent guardians --child ID`.

    Without names: the office finds the person by AGENCY:KEY, the agency's own number of them.
    """
    from gateway.exchange import inquiry

    with opened() as hub:
        found = child_or_fail(hub, child)
        with hub.db.transaction() as conn:
            rows = inquiry.guardians(conn, found)
        at = hub.clock()
    columns = ("guardian", "kind", "authority", "may_act", "until", "verified_by", "verified_at")
    data = [
        {
            "guardian": one.guardian_link_id,
            "kind": one.kind.value,
            "authority": one.authority.value,
            "may_act": one.may_act(at),
            "until": one.valid_until.isoformat() if one.valid_until else None,
            "verified_by": one.verified_by,
            "verified_at": one.verified_at.isoformat() if one.verified_at else None,
        }
        for one in rows
    ]
    if json:
        show_json({"child": found, "guardians": data})
    else:
        table([[row[c] for c in columns] for row in data], columns)
        if not data:
            say(f"Nobody yet: planhub consent verify-guardian --child {found} --kind parent --evidence FILE")


@app.command()
def log(
    child: ChildOption,
    guardian: GuardianOption = None,
    by: ByOption = "",
    json: JsonFlag = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the columns of 34 CFR 99.32 as CSV.")] = False,
) -> None:
    """Tell a guardian who saw what of their child: `planhub consent log --child ID`. The asking is itself in the log."""
    from gateway.exchange.accounting import COLUMNS, who_saw_what
    from gateway.exchange.disclosure import Refused

    if json and as_csv:
        fail("--json and --csv", "one output has one form", "leave one out", Exit.USAGE)
    with opened() as hub:
        found = child_or_fail(hub, child)
        link = guardian_or_fail(hub, found, guardian) if guardian else only_guardian(hub, found)
        told = who_saw_what(hub, found, guardian_link=link, requester=someone(by))
    if isinstance(told, Refused):
        not_told(told, found)
    rows = [line.row() for line in told.lines]
    if json:
        show_json({"child": found, "entry": told.entry, "lines": rows})
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        for line in told.lines:
            show(f"{line.number}  {line.sentence}")
