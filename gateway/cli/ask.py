"""`planhub consent ask` and `asks`: staff put something to a family for an agency, and see what it was asked."""

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from consent.vocabulary import Purpose
from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import (
    ByOption,
    ChildOption,
    agency_or_fail,
    child_or_fail,
    day_or_fail,
    end_of,
    someone,
)
from gateway.cli.output import JsonFlag, fail, say, show_json, table
from mappings.record.category import Category

if TYPE_CHECKING:
    from consent.ask import AskFault
    from gateway.exchange.ask import NotAsked

_WHY = {
    "no-such-child": ("there is no such child to ask about", "planhub review list"),
    "no-such-agency": ("the agency is not active in this community", "planhub apply -f community.yaml"),
    "beyond-agreement": (
        "the agency's agreement does not cover these topics for this purpose",
        "widen the agreement in the community file, then planhub apply",
    ),
    "open": ("the family is asked this by this agency already", "planhub consent asks --child …"),
    "no-topic": ("no topic is named besides who the child is", "name one with --topic"),
    "not-alone": ("an extra-private topic is asked for alone", "ask for it in an ask of its own"),
    "not-a-request": ("no family is asked for this purpose", "name another --purpose"),
    "over": ("the last day has passed", "name a later --until"),
    "too-long": ("the last day is more than a year away", "name an earlier --until"),
}


def ask(
    child: ChildOption,
    agency: Annotated[str, typer.Option("--agency", help="Who would see it.")],
    topic: Annotated[list[Category], typer.Option("--topic", help="The topic; may be given several times.")],
    until: Annotated[str, typer.Option("--until", help="The last day, as 2027-06-30; at most a year away.")],
    purpose: Annotated[Purpose, typer.Option("--purpose", help="Why.")] = Purpose.CARE_COORDINATION,
    interpreter: Annotated[
        str, typer.Option("--interpreter", help="The language the family needs an interpreter for, as es.")
    ] = "",
    by: ByOption = "",
    json: JsonFlag = False,
) -> None:
    """Put something to a family: `planhub consent ask --child ID --agency clinic --topic health --until 2027-06-30`.

    It opens nothing: only what a guardian signs does.
    """
    from consent.ask import MadeBy
    from gateway.exchange.ask import Asked, NewAsk, make

    with opened() as hub:
        new = NewAsk(
            ask_id=hub.ids(),
            child_id=child_or_fail(hub, child),
            recipient=agency_or_fail(hub, agency),
            requester=someone(by),
            topics=frozenset(topic),
            purpose=purpose,
            until=end_of(day_or_fail("--until", until), hub.place().zone),
            made_by=MadeBy.STAFF,
            interpreter=interpreter or None,
        )
        done = make(hub, new)
    if not isinstance(done, Asked):
        _not_asked(done)
    if json:
        show_json({"ask": done.ask.ask_id, "lapses": done.ask.lapses_at.isoformat(), "entry": done.entry})
    else:
        say(f"The family is asked; without an answer it lapses on {done.ask.lapses_at:%Y-%m-%d}.")


def _not_asked(why: "NotAsked | AskFault") -> NoReturn:
    text, step = _WHY[why.value]
    fail("not asked", text, step, Exit.CONFLICT if why.value == "open" else Exit.USAGE)


def asks(child: ChildOption, json: JsonFlag = False) -> None:
    """List what a family was asked, and its answers: `planhub consent asks --child ID`. Inside only: an asker sees no *no*."""
    from gateway.exchange.ask import asked_of, interpreter_for

    columns = (
        "ask",
        "agency",
        "topics",
        "purpose",
        "state",
        "answer",
        "made_by",
        "lapses",
        "reminders",
        "interpreter",
    )
    with opened() as hub:
        found = child_or_fail(hub, child)
        at = hub.clock()
        rows = [
            {
                "ask": one.ask_id,
                "agency": one.recipient,
                "topics": " ".join(sorted(one.topics)),
                "purpose": one.purpose.value,
                "state": one.state(at).value,
                "answer": one.answer.value if one.answer else None,
                "made_by": one.made_by.value,
                "lapses": f"{one.lapses_at:%Y-%m-%d}",
                "reminders": one.reminders,
                "interpreter": interpreter_for(hub, one),
            }
            for one in asked_of(hub, found)
        ]
    if json:
        show_json({"child": found, "asks": rows})
    else:
        table([[row[name] for name in columns] for row in rows], columns)
