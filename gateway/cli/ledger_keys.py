"""`planhub ledger key …`: change the key that signs the log, with a time between in which both do."""

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import settings_or_fail
from gateway.cli.output import JsonFlag, YesFlag, confirm, fail, say, show, show_json

app = typer.Typer(no_args_is_help=True, help="The key that signs the log: planhub ledger key show")


@app.command("show")
def show_keys(json: JsonFlag = False) -> None:
    """Print the public keys of the log, as witnesses, auditors and recipients need them: `planhub ledger key show`."""
    from gateway.exchange.opening import origin_of
    from gateway.store import logkeys

    settings = settings_or_fail()
    folder, origin = settings.home / "keys", origin_of(settings)
    after = logkeys.next_key(folder, origin)
    rows = [("signs", logkeys.current_key(folder, origin).verifier)]
    rows += [("signs too", after.verifier)] if after is not None else []
    rows += [("signed before", key) for key in logkeys.retired_keys(folder)]
    if json:
        show_json({"origin": origin, "keys": [{"state": state, "key": str(key)} for state, key in rows]})
    else:
        for state, key in rows:
            show(f"{key}  # {state}")


@app.command()
def begin() -> None:
    """Make the next key, which signs beside the present one from the next start on: `planhub ledger key begin`."""
    from gateway.exchange.opening import origin_of
    from gateway.store import logkeys

    settings = settings_or_fail()
    after = logkeys.begin_change(settings.home / "keys", origin_of(settings))
    show(str(after.verifier))
    say("From the next start on both keys sign. Restart every process: planhub serve")
    say(
        "Give this key to every witness (planhub witness trust), auditor and recipient. Then: planhub ledger key finish"
    )


@app.command()
def finish(yes: YesFlag = False) -> None:
    """Retire the old key: `planhub ledger key finish`. Its private half is gone then."""
    from gateway.exchange.opening import origin_of
    from gateway.store import logkeys

    settings = settings_or_fail()
    folder, origin = settings.home / "keys", origin_of(settings)
    if logkeys.next_key(folder, origin) is None:
        fail("the key", "no change has begun", "planhub ledger key begin", Exit.CONFLICT)
    confirm("Do all witnesses, auditors and recipients have the new key?", yes=yes)
    old = logkeys.finish_change(folder, origin)
    show(str(old))
    say("This key signs no more from the next start on. Restart every process: planhub serve")
