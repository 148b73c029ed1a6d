"""`planhub ledger …`: check the log from its bytes or from outside, prove one entry, hand out the newest checkpoint."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import ledger_keys, ledger_outside
from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.output import JsonFlag, fail, say, show, show_json, table

if TYPE_CHECKING:
    from gateway.exchange.audit import LedgerReport

app = typer.Typer(no_args_is_help=True, help="The log: planhub ledger verify")
app.add_typer(ledger_keys.app, name="key")

FAULTS = {
    "number": "a number is missing or stands twice",
    "leaf": "is not the header of an entry",
    "body": "is not what its leaf committed to",
    "clear": "says something else in clear than in its body",
    "tile": "holds other hashes than those of the entries",
    "root": "is signed over another tree",
    "signature": "was not signed by this log's key",
    "size": "entries and checkpoints do not cover each other",
    "cosignature": "bears a cosignature that its witness did not make",
}
RUNBOOK = "deploy/runbook.md: the ledger does not verify"


def summary(report: "LedgerReport") -> str:
    """The check in one line: `48,211 entries, chain good to a91c4e`."""
    if not report.sound:
        first = report.faults[0]
        return f"{len(report.faults)} faults, the first at {first.where}: {FAULTS[first.fault]}"
    waiting = f", {report.waiting} waiting for a number" if report.waiting else ""
    if not report.size:
        return f"no entries yet{waiting}"
    return f"{report.size:,} entries, chain good to {report.root.hex()[:6]}{waiting}"


@app.command()
def verify(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Leave the sealed bodies closed: leaves, tiles, roots and signatures."),
    ] = False,
    log: Annotated[
        str | None,
        typer.Option(
            "--log", metavar="URL", help="Check a log from outside, at this address (…/log); needs no hub."
        ),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="With --log: the file that names its keys and witnesses.")
    ] = None,
    remember: Annotated[
        Path | None,
        typer.Option(
            "--remember", help="With --log: the file that keeps its checkpoint from visit to visit."
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Check the whole log: `planhub ledger verify`, or from outside with --log. A fault ends with code 3.

    Every leaf is hashed again, every tile and root computed anew, every checkpoint's signature checked; bodies are
    opened only to compare them with their leaves.
    """
    if log is not None:
        ledger_outside.verify_outside(log, policy, remember, json=json)
    else:
        _verify_here(quick=quick, json=json)


@app.command()
def fsck(
    quick: Annotated[bool, typer.Option("--quick", help="Leave the sealed bodies closed.")] = False,
    json: JsonFlag = False,
) -> None:
    """Check the log and everything it is held against: `planhub ledger fsck`. A fault ends with code 3.

    As `verify`: numbers without a gap, leaves, tiles, roots, signatures, cosignatures. Then whether the log may be signed: its
    tree against the mark beside the key and against its witnesses.
    """
    from gateway.exchange.selfcheck import guard_start

    _verify_here(quick=quick, json=json)
    with opened() as hub:
        halted = guard_start(hub)
    if halted is not None:
        fail("nothing is signed", halted, RUNBOOK, Exit.CHECK_FAILED)
    say("it may be signed: tree, mark and witnesses agree")


@app.command()
def resume() -> None:
    """Let signing go on after a halt, if the check passes now: `planhub ledger resume`."""
    from gateway.exchange import selfcheck
    from gateway.exchange.witnessing import client

    with opened() as hub, client(hub.settings) as http:
        reason = selfcheck.resume(hub, http)
    if reason is not None:
        fail("nothing is signed", reason, RUNBOOK, Exit.CHECK_FAILED)
    say("the log may be signed")


def _verify_here(*, quick: bool, json: bool) -> None:
    from gateway.exchange.audit import verify_ledger

    with opened() as hub:
        started = time.monotonic()
        report = verify_ledger(hub, bodies=not quick)
        seconds = time.monotonic() - started
    if json:
        show_json(
            {
                "ok": report.sound,
                "entries": report.size,
                "head": report.root.hex(),
                "checkpoints": report.checkpoints,
                "opened": report.opened,
                "erased": report.erased,
                "waiting": report.waiting,
                "faults": [{"fault": one.fault.value, "where": one.where} for one in report.faults],
                "checked_s": round(seconds, 3),
            }
        )
    else:
        show(summary(report))
        if report.faults:
            table([(one.where, FAULTS[one.fault]) for one in report.faults], ("where", "fault"))
        say(
            f"checked in {seconds:.1f} s: {report.checkpoints} checkpoints, {report.opened} bodies, {report.erased} erased"
        )
    if not report.sound:
        fail("the ledger does not verify", FAULTS[report.faults[0].fault], RUNBOOK, Exit.CHECK_FAILED)


@app.command()
def prove(
    number: Annotated[int, typer.Argument(min=0, metavar="SEQ", help="The entry's number.")],
    json: JsonFlag = False,
) -> None:
    """Prove that an entry is in the log: `planhub ledger prove 17 > 17.tlog-proof`.

    The proof (c2sp.org/tlog-proof) is checked without us, against the log's public key and the entry's leaf; `--json` gives all three.
    """
    from gateway.exchange.published import receipt
    from gateway.store import ledger

    with opened() as hub:
        proof = receipt(hub, number)
        if proof is None:
            fail(f"entry {number}", "the log has no such number", "planhub ledger checkpoint", Exit.USAGE)
        with hub.db.transaction() as conn:
            leaf = ledger.read_leaf(conn, number)
    if json:
        show_json(
            {
                "entry": number,
                "leaf": leaf.decode(),
                "proof": proof,
                "origin": hub.signer.name,
                "key": str(hub.signer.verifier),
                "keys": [str(key) for key in hub.log_keys],
            }
        )
    else:
        show(proof.removesuffix("\n"))


@app.command()
def checkpoint(json: JsonFlag = False) -> None:
    """Print the newest signed checkpoint, for a witness or the council's minutes: `planhub ledger checkpoint`."""
    from consent.checkpoint import parse_checkpoint
    from gateway.exchange.published import newest

    with opened() as hub:
        note = newest(hub)
    head = None if note is None else parse_checkpoint(note.text)
    if head is None:
        fail("no checkpoint", "the log has no entry yet", "it has one after the first release", Exit.CONFLICT)
    if json:
        show_json(
            {
                "size": head.size,
                "root": head.root.hex(),
                "note": str(note),
                "origin": hub.signer.name,
                "key": str(hub.signer.verifier),
            }
        )
    else:
        show(str(note).removesuffix("\n"))
