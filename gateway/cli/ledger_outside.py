"""`planhub ledger verify --log …`: check a log as an auditor does, without a hub, from what it shows and the keys one was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.cli.exits import Exit
from gateway.cli.output import fail, say, show, show_json, table

if TYPE_CHECKING:
    from consent.note import Note
    from consent.trust_policy import TrustPolicy
    from gateway.exchange.monitor import Fetch, Visit

DOUBTS = {
    "no-checkpoint": "the log shows no checkpoint",
    "not-signed": "its checkpoint was not signed by a key of this log",
    "not-witnessed": "too few witnesses have cosigned its checkpoint",
    "tile": "a tile is missing or does not hold the hashes of what lies below it",
    "root": "its tiles are of another tree than was signed",
    "shorter": "it has fewer entries than at the last visit",
    "rewritten": "what it had at the last visit is no longer its beginning",
}


def verify_outside(log: str, policy_file: Path | None, remember: Path | None, *, json: bool) -> None:
    """Visit the log at this address; ends with code 3 where anything is in doubt, and then remembers nothing."""
    from gateway.exchange.monitor import cosigned_times, visit

    policy = read_policy(policy_file)
    if not policy.logs:
        fail("--policy", "it names no log", "add a line: log KEY (planhub ledger key show)", Exit.USAGE)
    with reading(log) as fetch:
        found = visit(
            fetch,
            policy,
            policy.logs[0].key.name,
            remembered=_remembered(remember),
            at="checkpoint" if policy.quorum is None else "witnessed",
        )
    times = cosigned_times(found.note, policy) if found.note is not None else {}
    if json:
        show_json(_report(found, times))
    else:
        _say(found, times)
    if found.doubts:
        doubt = found.doubts[0][0]
        fail("the log is in doubt", DOUBTS[doubt], "docs/ledger.md: when a check fails", Exit.CHECK_FAILED)
    if remember is not None and found.note is not None:
        remember.write_text(str(found.note), "utf-8")


def read_policy(path: Path | None) -> "TrustPolicy":
    """The policy in a file, or the command ends naming the line that is wrong."""
    from consent.trust_policy import PolicyFault, parse_policy

    if path is None:
        fail(
            "--policy",
            "it is missing",
            "name the file with the log's key and witnesses; docs/ledger.md",
            Exit.USAGE,
        )
    try:
        found = parse_policy(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        fail(f"--policy {path}", "it cannot be read", "give the path of a policy file", Exit.USAGE)
    if isinstance(found, PolicyFault):
        fail(
            f"--policy {path}, line {found.line}", found.text, "correct the file; docs/ledger.md", Exit.USAGE
        )
    return found


@contextmanager
def reading(log: str) -> Iterator["Fetch"]:
    """A way to read what the log at this address serves; ends the command where it cannot be reached."""
    from adapters.egress import LOOPBACK, Egress
    from adapters.http import HttpClient, Reply
    from gateway.settings import is_loopback

    near = LOOPBACK if is_loopback(urlsplit(log).hostname or "") else ()
    base = log.rstrip("/")
    with HttpClient(egress=Egress(near)) as http:

        def fetch(path: str) -> bytes | None:
            reply = http.send("GET", f"{base}/{path}")
            if not isinstance(reply, Reply):
                step = "check the address; plain http only on this machine"
                fail(base, "it cannot be reached", step, Exit.UNREACHABLE)
            return reply.body if reply.status == HTTPStatus.OK else None

        yield fetch


def _remembered(path: Path | None) -> "Note | None":
    from consent.note import parse_note

    if path is None or not path.exists():
        return None
    note = parse_note(path.read_bytes())
    if note is None:
        fail(
            f"--remember {path}",
            "it is not a checkpoint",
            "restore the file; do not start afresh",
            Exit.USAGE,
        )
    return note


def _report(found: "Visit", times: dict[str, str]) -> dict[str, object]:
    checkpoint = found.checkpoint
    return {
        "ok": not found.doubts,
        "entries": checkpoint and checkpoint.size,
        "head": checkpoint and checkpoint.root.hex(),
        "tiles": found.tiles,
        "cosigned": times,
        "doubts": [{"doubt": doubt.value, "where": where} for doubt, where in found.doubts],
    }


def _say(found: "Visit", times: dict[str, str]) -> None:
    if found.checkpoint is not None:
        by = f", cosigned by {', '.join(times)}" if times else ""
        show(f"{found.checkpoint.size:,} entries, root {found.checkpoint.root.hex()[:6]}{by}")
    if found.doubts:
        table([(where, DOUBTS[doubt]) for doubt, where in found.doubts], ("where", "doubt"))
    say(f"checked {found.tiles} tiles")
