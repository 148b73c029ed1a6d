"""Commands about the deployment: `migrate`, `apply`, `doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import opened, settings_or_fail
from gateway.cli.output import DryRunFlag, JsonFlag, YesFlag, confirm, fail, say, show, show_json, table

if TYPE_CHECKING:
    from gateway.exchange.community import Change

_MARK = {"add": "+", "change": "~", "retire": "-"}


def migrate(json: JsonFlag = False) -> None:
    """Bring the database to this release's schema: `planhub migrate`. Safe to run twice; one runner at a time."""
    with opened(migrate=True) as hub:
        with hub.db.transaction() as conn:
            version = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        show_json({"version": version}) if json else show(f"The database is at {version}.")


def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="The community file.")],
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Apply a community file: `planhub apply -f community.yaml --dry-run` shows the diff and changes nothing."""
    from gateway.exchange.community import apply_changes, changes
    from gateway.exchange.community_file import CommunityFileError, read_community
    from gateway.store import configuration

    try:
        wanted = read_community(file).rows()
    except CommunityFileError as error:
        fail(
            "the community file cannot be used",
            str(error),
            f"correct it and run planhub apply -f {file} --dry-run",
            Exit.USAGE,
        )
    with opened() as hub:
        with hub.db.transaction() as conn:
            found = changes(wanted, configuration.read_all(conn))
        _print_changes(found, json=json)
        if dry_run or not found:
            say("Nothing changed." if not found else "Nothing changed. Run again without --dry-run.")
            return
        confirm(f"Apply {len(found)} changes?", yes=yes)
        with hub.db.transaction() as conn:
            present = configuration.read_all(conn)
            if changes(wanted, present) != found:
                fail(
                    "not applied",
                    "someone else changed the configuration meanwhile",
                    "run planhub apply again",
                    Exit.CONFLICT,
                )
            apply_changes(conn, found, present)
        say(f"Applied {len(found)} changes.")


def _print_changes(found: tuple["Change", ...], *, json: bool) -> None:
    if json:
        show_json({"changes": [c.model_dump(mode="json", exclude={"columns"}) for c in found]})
        return
    for change in found:
        fields = f" ({', '.join(change.fields)})" if change.fields else ""
        show(f"{_MARK[change.kind.value]} {change.table} {change.key}{fields}")


def doctor(json: JsonFlag = False) -> None:
    """Look at every part of the deployment and say what to do: `planhub doctor`."""
    from gateway.cli.checkup import Verdict, findings

    settings = settings_or_fail()
    found = list(findings(settings))
    failed = sum(f.verdict is Verdict.FAIL for f in found)
    warned = sum(f.verdict is Verdict.WARN for f in found)
    if json:
        show_json({"ok": failed == 0, "findings": [f.as_json() for f in found]})
    else:
        table(
            [(f.verdict.value, f.part, f.text, f"→ {f.step}" if f.step else "") for f in found],
            ("", "part", "finding", ""),
        )
        say(f"{failed} failed, {warned} warnings, {len(found) - failed - warned} ok")
    if failed:
        raise typer.Exit(Exit.CHECK_FAILED)
