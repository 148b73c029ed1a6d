"""`planhub review …`: records nobody could tell apart by machine, and a person's word on them."""

from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import (
    ByOption,
    ChildOption,
    child_or_fail,
    identity_or_fail,
    review_or_fail,
    someone,
)
from gateway.cli.output import JsonFlag, YesFlag, confirm, fail, say, show, show_json, table

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.exchange.desk import Case, Face
    from gateway.exchange.review import Decided, ReviewRefusal, Verdict

app = typer.Typer(no_args_is_help=True, help="Whose record is it: planhub review list")

ReviewArgument = Annotated[
    str, typer.Argument(help="The review, by id or six letters it begins or ends with.")
]

WHY = {
    "no-review": ("there is no such review", "planhub review list", Exit.USAGE),
    "already-decided": ("somebody has decided it", "planhub review list --decided", Exit.CONFLICT),
    "not-a-candidate": (
        "that child is not one of its candidates",
        "planhub review show {review}",
        Exit.CONFLICT,
    ),
    "not-linked": ("the record is tied to no child", "planhub review list", Exit.CONFLICT),
    "no-connection": (
        "its connection or map is gone, so what was received cannot be read",
        "planhub apply -f community.yaml",
        Exit.CONFLICT,
    ),
    "erased": ("the child, or what waited here, has been erased", "planhub review list", Exit.CONFLICT),
}


@app.command("list")
def list_(
    decided: Annotated[bool, typer.Option("--decided", help="Those a person has decided instead.")] = False,
    json: JsonFlag = False,
) -> None:
    """List the records that wait for a person, with the rule and signs that brought them here: `planhub review list`."""
    from gateway.exchange.desk import cases

    with opened() as hub:
        found = cases(hub, decided=decided)
    if json:
        show_json({"reviews": [_case_json(one) for one in found]})
        return
    columns = ("review", "record", "from", "candidates", "rule", "signs", "since")
    table(
        [
            (
                one.review_id,
                one.identity_id,
                one.connection,
                len(one.candidates),
                one.rule,
                _signs(one),
                f"{one.since:%Y-%m-%d}",
            )
            for one in found
        ],
        columns,
    )


def _signs(case: "Case") -> str:
    return " ".join(f"{name}:{sign}" for name, sign in case.signs.items() if name != "model")


def _case_json(case: "Case") -> dict[str, object]:
    return {
        "review": case.review_id,
        "record": case.identity_id,
        "agency": case.org,
        "connection": case.connection,
        "candidates": list(case.candidates),
        "rule": case.rule,
        "signs": dict(case.signs),
        "state": case.state.value,
        "since": case.since.isoformat(),
        "decided_by": case.decided_by,
        "decided_at": case.decided_at.isoformat() if case.decided_at else None,
    }


@app.command("show")
def show_one(review: ReviewArgument, by: ByOption = "", json: JsonFlag = False) -> None:
    """Show a record beside the children it may be: `planhub review show 0193ab`. Every child shown has an entry in the log."""
    from gateway.exchange.desk import side_by_side

    with opened() as hub:
        found = side_by_side(hub, review_or_fail(hub, review), by=someone(by))
    if found is None:
        _refuse("already-decided", review)
    faces = [found.record, *found.candidates]
    if json:
        show_json(
            {
                **_case_json(found.case),
                "shown": [_face_json(one) for one in faces],
                "entries": [one.entry for one in faces if one is not None],
            }
        )
        return
    show(f"{found.case.rule}: {_signs(found.case)}")
    table(_beside(faces), ("", "this record", *(str(one) for one in found.case.candidates)))
    say(f"Shown to {someone(by)}: entries {', '.join(str(one.entry) for one in faces if one is not None)}")
    say(f"Decide: planhub review decide {found.case.review_id} --link CHILD | --new | --not-same")


def _face_json(face: "Face | None") -> dict[str, object] | None:
    if face is None:
        return None
    return {
        "child": face.child,
        "entry": face.entry,
        **{name: list(told) for name, told in face.fields.items()},
    }


def _beside(faces: "list[Face | None]") -> list[tuple[str, ...]]:
    """One line per field; a record erased since has nothing to show."""
    from gateway.exchange.desk import FIELDS

    return [
        (name, *("; ".join(one.fields.get(name, ())) if one is not None else "-" for one in faces))
        for name in FIELDS
    ]


@app.command()
def decide(
    review: ReviewArgument,
    link: Annotated[str, typer.Option("--link", metavar="CHILD", help="It is this candidate's record.")] = "",
    new: Annotated[bool, typer.Option("--new", help="It is a child nobody here knows yet.")] = False,
    not_same: Annotated[
        bool, typer.Option("--not-same", help="It is none of the candidates; it waits on.")
    ] = False,
    not_: Annotated[
        str, typer.Option("--not", metavar="CHILD", help="It is not this candidate; for good.")
    ] = "",
    by: ByOption = "",
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Say whose record it is, in your name: `planhub review decide 0193ab --link CHILD`, `--new`, or `--not-same`."""
    from gateway.exchange.review import Verdict

    if sum(map(bool, (link, new, not_same, not_))) != 1:
        step = f"planhub review show {review}"
        fail("what to decide", "give one of --link, --new, --not-same, --not", step, Exit.USAGE)
    with opened() as hub:
        wanted = review_or_fail(hub, review)
        person = someone(by)
        if link or not_:
            verdict = Verdict.LINK if link else Verdict.NOT_THE_SAME
            children: list[UUID | None] = [child_or_fail(hub, link or not_)]
        else:
            verdict = Verdict.NEW_CHILD if new else Verdict.NOT_THE_SAME
            children = [None] if new else _candidates(hub, wanted, review)
        confirm(f"Decide {verdict.value} for review {wanted} as {person}?", yes=yes)
        done = _decide(hub, wanted, verdict, children, person)
    _print(done, review, json=json)


def _candidates(hub: "Hub", review_id: UUID, named: str) -> list[UUID | None]:
    from gateway.exchange.desk import cases

    found = next((one for one in cases(hub) if one.review_id == review_id), None)
    if found is None:
        _refuse("already-decided", named)
    if not found.candidates:
        _refuse("not-a-candidate", named)
    return list(found.candidates)


def _decide(
    hub: "Hub", review_id: UUID, verdict: "Verdict", children: list[UUID | None], by: str
) -> "Decided | ReviewRefusal":
    from gateway.exchange import review

    done: Decided | ReviewRefusal = review.ReviewRefusal.NOT_A_CANDIDATE
    for child in children:
        done = review.decide(hub, review_id, verdict, by=by, child=child)
        if isinstance(done, review.ReviewRefusal):
            break
    return done


def _print(done: "Decided | ReviewRefusal", review: str, *, json: bool) -> None:
    from gateway.exchange.review import ReviewRefusal

    if isinstance(done, ReviewRefusal):
        _refuse(done.value, review)
    if json:
        show_json({"record": done.source_identity_id, "child": done.child_id, "facts": done.facts})
    elif done.child_id is None:
        show("noted; the record waits on")
    else:
        show(f"{done.child_id}  {done.facts} facts")


@app.command()
def records(child: ChildOption, json: JsonFlag = False) -> None:
    """List by which records of which connections a child is known: `planhub review records --child ID`."""
    from gateway.exchange.desk import records_of

    with opened() as hub:
        found = records_of(hub, child_or_fail(hub, child))
    columns = ("record", "agency", "connection")
    rows = [(one.source_identity_id, one.org, one.connection) for one in found]
    if json:
        show_json({"records": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        table(rows, columns)


@app.command()
def unlink(
    record: Annotated[str, typer.Argument(help="The record, by id or six letters it begins or ends with.")],
    by: ByOption = "",
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Take a wrong link back: `planhub review unlink 0193ab`. The record's facts leave the child and it is reviewed anew.

    Who was told something of the child in the meantime is listed: telling them is a person's task.
    """
    from gateway.exchange import desk, review

    with opened() as hub:
        wanted = identity_or_fail(hub, record)
        linked = desk.linked_since(hub, wanted)
        confirm(f"Take record {wanted} from its child?", yes=yes)
        done = review.unlink(hub, wanted, by=someone(by))
        if isinstance(done, review.ReviewRefusal) or linked is None:
            _refuse(done.value if isinstance(done, review.ReviewRefusal) else "not-linked", record)
        told = desk.told_since(hub, *linked)
    if json:
        show_json({"record": wanted, "child": linked[0], "facts": done.facts, "told": told})
        return
    show(f"{wanted}  taken from {linked[0]}, {done.facts} facts withdrawn")
    for agency, entries in sorted(told.items()):
        say(f"{agency} was told of the child meanwhile: entries {', '.join(map(str, entries))}")


def _refuse(why: str, review: str) -> NoReturn:
    text, step, code = WHY[why]
    fail("not done", text, step.format(review=review), code)
