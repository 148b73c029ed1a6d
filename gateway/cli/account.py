"""`planhub consent account` and `fhir`: the account of disclosures one law asks for, and what was signed as FHIR."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer

from consent.accounting import Account
from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import ByOption, ChildOption, child_or_fail, guardian_or_fail, someone
from gateway.cli.output import JsonFlag, fail, say, show, show_json
from gateway.exchange.wording import REASON

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.exchange.disclosure import Refused
    from gateway.exchange.statement import Statement

GuardianOption = Annotated[
    str | None,
    typer.Option("--guardian", help="Who asks; may be left out where one guardian is verified."),
]


def account(
    child: ChildOption,
    as_: Annotated[Account, typer.Option("--as", help="Which account.")] = Account.FAMILY,
    guardian: GuardianOption = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write it as CSV; - prints it.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write it as a page to print.")] = None,
    by: ByOption = "",
    json: JsonFlag = False,
) -> None:
    """Give the account a law asks for: `planhub consent account --child ID --as ferpa --html account.html`.

    Each line says whether the law asks for it or the hub recorded it anyway. The reading is itself an entry of the log.
    """
    from gateway.exchange.disclosure import Refused
    from gateway.exchange.statement import state

    if sum(map(bool, (csv, html, json))) > 1:
        fail("--csv, --html and --json", "one output has one form", "leave the others out", Exit.USAGE)
    with opened() as hub:
        found = child_or_fail(hub, child)
        link = guardian_or_fail(hub, found, guardian) if guardian else only_guardian(hub, found)
        told = state(hub, found, as_, guardian_link=link, requester=someone(by))
    if isinstance(told, Refused):
        not_told(told, found)
    _print(told, csv=csv, html=html, json=json)


def _print(told: "Statement", *, csv: Path | None, html: Path | None, json: bool) -> None:
    from gateway.exchange.statement import as_csv, as_html

    if json:
        answer_by = told.answer_by.isoformat() if told.answer_by else None
        since = told.since.isoformat() if told.since else None
        show_json(
            {
                "account": told.account,
                "entry": told.entry,
                "since": since,
                "answer_by": answer_by,
                "lines": list(told.rows),
            }
        )
    elif html is not None:
        _write("--html", html, as_html(told))
    elif csv is not None and str(csv) != "-":
        _write("--csv", csv, as_csv(told))
    else:
        show(as_csv(told).rstrip("\n"))


def _write(option: str, path: Path, content: str) -> None:
    """A file only its owner reads; one that is there already is not written over."""
    try:
        with path.open("x", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(content)
    except OSError as error:
        fail(f"{option} {path}", str(error.strerror), "name a new file in a folder that exists", Exit.USAGE)
    say(f"Written to {path}.")


def not_told(told: "Refused", child: UUID) -> NoReturn:
    """End: this person may not read now."""
    reasons = "; ".join(sorted({REASON[reason] for reason in told.reasons.values()}))
    fail(
        "not told",
        f"this person may not read the record now: {reasons}; the refusal is entry {told.entry}",
        f"planhub consent guardians --child {child}",
        Exit.REFUSED_BY_CONSENT,
    )


def only_guardian(hub: "Hub", child: UUID) -> UUID:
    """The one verified guardian, where there is one."""
    from gateway.exchange import inquiry

    with hub.db.transaction() as conn:
        acting = [one for one in inquiry.guardians(conn, child) if one.may_act(hub.clock())]
    if len(acting) != 1:
        why = "several guardians are verified" if acting else "no guardian is verified"
        step = f"planhub consent guardians --child {child}, then add --guardian"
        fail("who asks", why, step, Exit.USAGE)
    return acting[0].guardian_link_id


def fhir(
    child: ChildOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    guardian: GuardianOption = None,
    by: ByOption = "",
) -> None:
    """Give a guardian what was signed, as FHIR R4 Consents: `planhub consent fhir --child ID -o consents.json`.

    The reading is itself an entry of the log.
    """
    from gateway.exchange.consent_download import Download, download

    with opened() as hub:
        found = child_or_fail(hub, child)
        link = guardian_or_fail(hub, found, guardian) if guardian else only_guardian(hub, found)
        made = download(hub, found, guardian_link=link, requester=someone(by))
    if not isinstance(made, Download):
        not_told(made, found)
    _write("--output", output, made.body.decode())
