"""`planhub consent explain`: who can see what of a child, why, until when, by which of the family's permissions."""

from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.hub import opened
from gateway.cli.named import ChildOption, agency_or_fail, child_or_fail
from gateway.cli.output import JsonFlag, say, show_json, table
from gateway.exchange.wording import REASON, last_day, purposes_text, receipt_number, topics_text

if TYPE_CHECKING:
    from gateway.exchange.access import Access


def explain(
    child: ChildOption,
    agency: Annotated[
        list[str] | None, typer.Option("--agency", help="Only this agency; may be given several times.")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Also what is closed, and why.")] = False,
    json: JsonFlag = False,
) -> None:
    """Say who can see what of a child, why and until when: `planhub consent explain --child ID`.

    What an agency itself sent it always sees. Nothing of the record is opened or shown.
    """
    from gateway.exchange import access

    with opened() as hub:
        found = child_or_fail(hub, child)
        named = None if not agency else [agency_or_fail(hub, one) for one in agency]
        zone = hub.place().zone
        told = [one for one in access.explain(hub, found, named) if closed or one.answer.allowed]
    if json:
        show_json({"child": found, "access": [_row(one) for one in told]})
        return
    columns = ("agency", "topic", "why", "until", "permission", "closed because")
    table([_line(one, zone) for one in told], columns if closed else (*columns[:-1], ""))
    if not told:
        say("Nobody may see anything of this child now, but what they themselves sent.")


def _row(one: "Access") -> dict[str, Any]:
    answer = one.answer
    return {
        "agency": one.agency,
        "topic": answer.topic.value,
        "purpose": one.purpose.value,
        "allowed": answer.allowed,
        "reason": answer.reason.value,
        "until": answer.until.isoformat() if answer.until else None,
        "permissions": [receipt_number(cited) for cited in answer.directives],
        "directives": list(answer.directives),
    }


def _line(one: "Access", zone: tzinfo) -> list[str]:
    answer = one.answer
    return [
        one.agency,
        topics_text([answer.topic]),
        purposes_text([one.purpose]),
        last_day(answer.until, zone) if answer.allowed and answer.until else "",
        " ".join(receipt_number(cited) for cited in answer.directives),
        "" if answer.allowed else REASON[answer.reason],
    ]
