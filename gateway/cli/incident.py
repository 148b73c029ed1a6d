"""`planhub incident`: whose facts may be in wrong hands, what is owed to whom by when, and drafts of the notices."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import agency_or_fail, day_or_fail, end_of, identity_or_fail, start_of
from gateway.cli.output import JsonFlag, fail, say, show, show_json, table

if TYPE_CHECKING:
    from gateway.exchange.incident import Incident

KeyOption = Annotated[str | None, typer.Option("--key", help="A key that got out: the client's id.")]
PartnerOption = Annotated[str | None, typer.Option("--partner", help="An agency, by its key.")]
LinkOption = Annotated[
    str | None, typer.Option("--link", help="A record linked to the wrong child, by its id.")
]
FromOption = Annotated[str | None, typer.Option("--from", help="First day, 2026-11-01.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Last day.")]
LearnedOption = Annotated[
    str | None, typer.Option("--learned", help="The day it was found out; default: today.")
]
DraftsOption = Annotated[
    Path | None, typer.Option("--drafts", help="Write draft notices into this new folder.")
]


def incident(
    key: KeyOption = None,
    partner: PartnerOption = None,
    link: LinkOption = None,
    first: FromOption = None,
    last: UntilOption = None,
    learned: LearnedOption = None,
    drafts: DraftsOption = None,
    json: JsonFlag = False,
) -> None:
    """List what a stolen key, a partner, a wrong link or a span of time let out: `planhub incident --partner clinic`.

    Children by case reference, with recipients, topics, and whom a law has you tell by when. Nothing is sent.
    """
    from gateway.exchange import incident as incidents
    from gateway.store.incidents import Search

    if not any((key, partner, link, first, last)):
        fail(
            "what happened",
            "nothing says where to look",
            "give --key, --partner, --link or --from",
            Exit.USAGE,
        )
    with opened() as hub:
        zone = hub.place().zone
        search = Search(
            client_id=key,
            partner=agency_or_fail(hub, partner) if partner else None,
            source_identity=identity_or_fail(hub, link) if link else None,
            since=start_of(day_or_fail("--from", first), zone)
            if first
            else datetime.min.replace(year=1970, tzinfo=UTC),
            until=end_of(day_or_fail("--until", last), zone)
            if last
            else datetime.max.replace(year=9000, tzinfo=UTC),
        )
        day = day_or_fail("--learned", learned) if learned else hub.clock().astimezone(zone).date()
        found = incidents.incident(hub, search, day)
    if drafts is not None:
        _write(found, drafts)
    if json:
        show_json(_json(found))
    else:
        _print(found)


def _rows(found: "Incident") -> list[dict[str, Any]]:
    from gateway.exchange.incident import case_reference

    return [
        {
            "case": case_reference(one.child_id),
            "recipient": one.recipient,
            "times": one.times,
            "first": one.first_at.isoformat(timespec="seconds"),
            "last": one.last_at.isoformat(timespec="seconds"),
            "topics": " ".join(sorted(one.categories)),
            "regimes": " ".join(sorted(one.regimes)),
        }
        for one in found.exposures
    ]


def _owing(found: "Incident") -> list[dict[str, Any]]:
    return [
        {
            "regime": one.regime.value,
            "by": _by(one.by),
            "tell": one.rule.tell,
            "children": one.children,
            "section": one.rule.section,
            "evidence": one.rule.evidence.value,
        }
        for one in found.owing
    ]


def _by(day: date | None) -> str:
    return day.isoformat() if day else "without delay"


def _json(found: "Incident") -> dict[str, Any]:
    return {"children": found.children, "exposures": _rows(found), "owing": _owing(found)}


def _print(found: "Incident") -> None:
    rows, owing = _rows(found), _owing(found)
    if not rows:
        say("Nothing left by it.")
        return
    table([list(row.values()) for row in rows], list(rows[0]))
    show("")
    if owing:
        table([list(row.values()) for row in owing], list(owing[0]))
    say(f"{found.children} children. Rows marked needs-counsel are to be checked by counsel first.")


def _write(found: "Incident", folder: Path) -> None:
    """One draft per duty, in a folder only its owner reads."""
    from gateway.exchange.incident import draft

    try:
        folder.mkdir(mode=0o700)
        for one in found.owing:
            (folder / f"draft-{one.rule.id}.txt").write_text(draft(found, one), encoding="utf-8")
    except OSError as error:
        fail(f"--drafts {folder}", str(error.strerror), "name a new folder", Exit.USAGE)
    say(f"{len(found.owing)} drafts written to {folder}. None is sent.")
