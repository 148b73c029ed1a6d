"""What a person names on the command line, found or refused: children, guardians, permissions, reviews, agencies, dates."""

import getpass
import hashlib
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import fail

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.exchange.naming import Unnamed

ChildOption = Annotated[
    str,
    typer.Option(
        "--child",
        help="The child: the hub's id, AGENCY:REFERENCE or AGENCY:SYSTEM:NUMBER. Never a name.",
    ),
]
ByOption = Annotated[str, typer.Option("--by", help="Who does this; default: your login name.")]

LARGEST_SCAN = 20 * 1024 * 1024

_WHY = {
    "not-a-name": "an id is given whole, or by six or more letters it begins or ends with",
    "none": "there is none",
    "several": "there are several",
    "in-review": "whose record that is, nobody has decided yet",
}


def someone(by: str) -> str:
    """Who acts: as named, else the login name."""
    return by.strip() or getpass.getuser()


def child_or_fail(hub: "Hub", name: str) -> UUID:
    """The child; nothing of what was typed is repeated, for it may be a student's number."""
    from gateway.exchange.naming import Unnamed, find_child

    found = find_child(hub, name)
    if isinstance(found, Unnamed):
        ways = (
            "give the hub's id, AGENCY:REFERENCE, or AGENCY:SYSTEM:NUMBER (district:student-unique-id:NUMBER)"
        )
        step = "planhub review list" if found is Unnamed.IN_REVIEW else ways
        fail("--child", _WHY[found], step, Exit.USAGE)
    return found


def guardian_or_fail(hub: "Hub", child: UUID, name: str) -> UUID:
    """The guardian link."""
    from gateway.exchange.naming import find_guardian

    step = f"planhub consent guardians --child {child}"
    return _or_fail(find_guardian(hub, child, name), "--guardian", step)


def directive_or_fail(hub: "Hub", child: UUID, name: str) -> UUID:
    """The permission or stop."""
    from gateway.exchange.naming import find_directive

    return _or_fail(find_directive(hub, child, name), name, f"planhub consent show --child {child}")


def review_or_fail(hub: "Hub", name: str) -> UUID:
    """The review."""
    from gateway.exchange.naming import find_review

    return _or_fail(find_review(hub, name), f"review {name}", "planhub review list")


def identity_or_fail(hub: "Hub", name: str) -> UUID:
    """The source identity."""
    from gateway.exchange.naming import find_identity

    return _or_fail(find_identity(hub, name), f"record {name}", "planhub review records --child ID")


def _or_fail(found: "UUID | Unnamed", what: str, step: str) -> UUID:
    if not isinstance(found, UUID):
        fail(what, _WHY[found], step, Exit.USAGE)
    return found


def agency_or_fail(hub: "Hub", org: str) -> str:
    """The agency's key, if there is one of that name."""
    from gateway.exchange.naming import agencies

    with hub.db.transaction() as conn:
        known = agencies(conn)
    if org not in known:
        step = f"choose from: {', '.join(sorted(known))}" if known else "planhub apply -f community.yaml"
        fail(f"no agency is called {org}", "agencies are named by their key", step, Exit.USAGE)
    return org


def day_or_fail(option: str, text: str) -> date:
    """A day as it stands on a form: 2027-06-30."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} {text}", "it is no date", f"write it as {option} 2027-06-30", Exit.USAGE)


def start_of(day: date, zone: tzinfo) -> datetime:
    """The instant the day begins where the community is."""
    return datetime.combine(day, time.min, tzinfo=zone)


def end_of(day: date, zone: tzinfo) -> datetime:
    """The first instant after the day: who says until the 30th means the 30th too."""
    return start_of(day + timedelta(days=1), zone)


def read_scan(option: str, path: Path) -> bytes:
    """The bytes of a scan, at most 20 MB; the hub keeps their SHA-256 and not them."""
    try:
        if path.stat().st_size > LARGEST_SCAN:
            fail(f"{option} {path}", "it is larger than 20 MB", "scan it again, smaller", Exit.USAGE)
        content = path.read_bytes()
    except OSError as error:
        fail(f"{option} {path}", str(error.strerror), "give the path of the scan", Exit.USAGE)
    if not content:
        fail(f"{option} {path}", "it is empty", "scan the paper again", Exit.USAGE)
    return content


def sha256_hex(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
