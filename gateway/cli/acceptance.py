"""`planhub verify-delivery`: judge a received webhook as its recipient must, from its headers, its body and one's own keys."""

import json as json_module
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.ledger_outside import read_policy, reading
from gateway.cli.output import JsonFlag, fail, say, show, show_json

if TYPE_CHECKING:
    from adapters.community.webhook import WebhookSecret
    from consent.trust_policy import TrustPolicy
    from gateway.exchange.acceptance import Accepted

WORDS = {
    "not-signed": "no holder of the secret signed it, or it is older than five minutes (--at sets the time it arrived)",
    "no-receipt": "it has no Planhub-Receipt header",
    "receipt-malformed": "its receipt cannot be read",
    "unknown-log": "its receipt is of a log the policy does not name",
    "not-witnessed": "too few witnesses have cosigned the log as far as its entry; try again in half a minute with --log",
    "not-opened": "its receipt's fields are not those the log committed to",
    "not-a-release": "its receipt is of an entry that released nothing",
    "other-payload": "its receipt is for other bytes",
    "other-recipient": "its receipt is for another recipient",
    "other-sequence": "its receipt proves another entry",
    "malformed": "its proof cannot be read",
    "checkpoint-malformed": "the checkpoint in its receipt cannot be read",
    "checkpoint-signature": "the checkpoint in its receipt bears a false signature of the log",
    "checkpoint-unknown-keys": "the checkpoint in its receipt was signed by no key of the log",
    "checkpoint-origin": "the checkpoint in its receipt is another log's",
    "not-included": "its entry is not in the log",
}


def verify_delivery(
    body: Annotated[Path, typer.Argument(help="The exact bytes received.")],
    headers: Annotated[
        Path,
        typer.Option("--headers", help="The request's headers: a JSON object, or one `Name: value` a line."),
    ],
    recipient: Annotated[str, typer.Option("--recipient", help="Your agency's own key in the community.")],
    policy: Annotated[
        Path, typer.Option("--policy", help="The file that names the log's keys and witnesses.")
    ],
    secret: Annotated[
        list[str], typer.Option("--secret", help="Where a signing secret is: env:NAME or file:/path.")
    ],
    log: Annotated[
        str | None, typer.Option("--log", metavar="URL", help="The log's address, to ask for cosignatures.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="When it arrived; default: now. 2026-09-01T12:00:00+00:00")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Judge a received webhook: `planhub verify-delivery body.json --headers headers.json …`. What to refuse ends with code 3."""
    from gateway.exchange.acceptance import Accepted, accept

    content, received = _read("BODY", body), _headers(_read("--headers", headers))
    known, when = read_policy(policy), _instant(at)
    with ExitStack() as stack:
        found = accept(
            received,
            content,
            secrets=[_secret(one) for one in secret],
            recipient=recipient,
            policy=known,
            at=when,
            log=None if log is None else stack.enter_context(reading(log)),
        )
    if isinstance(found, Accepted):
        _say(found, known, json=json)
        return
    if json:
        show_json({"ok": False, "reason": found.value})
    fail(
        "refuse this delivery", WORDS[found.value], "docs/ledger.md: to receive deliveries", Exit.CHECK_FAILED
    )


def _say(found: "Accepted", policy: "TrustPolicy", *, json: bool) -> None:
    receipt = found.receipt
    if not json:
        show(
            f"accept: entry {receipt.sequence:,} of {found.checkpoint.size:,}, decision {receipt.decision_id}"
        )
        say(f"{len(found.cosigned)} witnesses stand behind it")
        return
    witnesses = [name for name, one in policy.witnesses.items() if one.key in found.cosigned]
    scope = {"entry": receipt.sequence, "decision": receipt.decision_id, "scope": receipt.scope}
    show_json({"ok": True, **scope, "log_entries": found.checkpoint.size, "cosigned": witnesses})


def _read(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{option} {path}", str(error.strerror), "give the path of the file", Exit.USAGE)


def _headers(raw: bytes) -> dict[str, str]:
    text = raw.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        try:
            return {str(name): str(value) for name, value in json_module.loads(text).items()}
        except ValueError:
            fail("--headers", "it is not a JSON object", "or write one `Name: value` a line", Exit.USAGE)
    lines = [line.partition(":") for line in text.splitlines() if ":" in line]
    return {name.strip(): value.strip() for name, _, value in lines}


def _secret(reference: str) -> "WebhookSecret":
    from adapters.community.webhook import BadSecret, WebhookSecret
    from gateway.exchange.context import SecretMissing, read_secret

    try:
        return WebhookSecret.parse(read_secret(reference))
    except (SecretMissing, BadSecret) as error:
        fail("--secret", str(error), "name the place of the secret: env:NAME or file:/path", Exit.USAGE)


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--at {text}", "it is no instant", "write it as 2026-09-01T12:00:00+00:00", Exit.USAGE)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
