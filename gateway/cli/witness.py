"""`planhub witness …`: stand witness to another's log. Needs no hub, no database and no child's data: a key and an address."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import JsonFlag, fail, say, show, show_json

if TYPE_CHECKING:
    from gateway.witness.home import WitnessHome

app = typer.Typer(
    no_args_is_help=True, help="Stand witness to a log: planhub witness init --home DIR --name NAME"
)

Home = Annotated[
    Path, typer.Option("--home", help="The witness's folder: its key, its logs, what it has seen.")
]


@app.command()
def init(
    home: Home,
    name: Annotated[
        str, typer.Option("--name", help="The witness's name, best an address: library.example/witness")
    ],
) -> None:
    """Make a witness and print its public key: `planhub witness init --home /var/lib/witness --name library.example/witness`."""
    from gateway.witness.home import WitnessHomeError, create_home

    try:
        made = create_home(home, name)
    except (ValueError, WitnessHomeError) as error:
        fail("the witness", str(error), "choose a name without spaces and plus signs", Exit.USAGE)
    show(str(made.key.verifier))
    say(
        "Give this key and the witness's address to the log's operator. Then: planhub witness trust --home DIR KEY-OF-THE-LOG"
    )


@app.command()
def trust(
    home: Home, key: Annotated[str, typer.Argument(metavar="KEY", help="The log's key, from its operator.")]
) -> None:
    """Know a log, or the next key of one: `planhub witness trust --home DIR "$(planhub ledger key show)"`."""
    from consent.note import VerifierKey

    known = VerifierKey.parse(key.split(" ")[0].strip())
    if known is None:
        fail(
            "the log's key",
            "this is not one",
            "copy it whole, as printed by: planhub ledger key show",
            Exit.USAGE,
        )
    _opened(home).trust(known)
    show(known.name)


@app.command("show")
def show_state(home: Home, json: JsonFlag = False) -> None:
    """Print the witness's key and how far it has seen each log: `planhub witness show --home DIR`."""
    from consent.checkpoint import parse_checkpoint
    from gateway.witness.home import WitnessHomeError

    opened = _opened(home)
    logs = []
    try:
        for origin in sorted({log.key.name for log in opened.policy().logs}):
            last = opened.last(origin)
            seen = parse_checkpoint(last.text) if last is not None else None
            logs.append(
                {
                    "origin": origin,
                    "size": seen.size if seen else 0,
                    "root": seen.root.hex() if seen else None,
                }
            )
    except WitnessHomeError as error:
        fail("the witness's state", str(error), "docs/ledger.md: to run a witness", Exit.CHECK_FAILED)
    if json:
        show_json({"key": str(opened.key.verifier), "logs": logs})
        return
    show(str(opened.key.verifier))
    for one in logs:
        show(f"{one['origin']}: {one['size']:,} entries")


@app.command()
def serve(
    home: Home,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8410,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file with the certificate and its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with its private key.")] = None,
) -> None:
    """Answer logs until told to stop: `planhub witness serve --home DIR`. Behind a proxy, or with a certificate of its own."""
    import ssl
    from datetime import UTC, datetime

    from gateway.witness.serving import Witnessing

    tls = None
    if tls_certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            tls.load_cert_chain(tls_certificate, tls_key)
        except (OSError, ssl.SSLError):
            fail(
                "the certificate",
                "it and its key do not load",
                "check --tls-certificate and --tls-key",
                Exit.USAGE,
            )
    opened = _opened(home)
    try:
        server = Witnessing((host, port), opened, lambda: datetime.now(UTC), say, tls)
    except OSError as error:
        fail(f"{host}:{port}", str(error.strerror), "choose another --host or --port", Exit.UNREACHABLE)
    with server:
        say(f"{opened.key.name} listens on {host}:{server.server_address[1]}")
        server.serve_forever()


def _opened(home: Path) -> "WitnessHome":
    from gateway.store.secretfile import SecretFileError
    from gateway.witness.home import WitnessHomeError, open_home

    try:
        return open_home(home)
    except (WitnessHomeError, SecretFileError) as error:
        fail("the witness", str(error), "docs/ledger.md: to run a witness", Exit.USAGE)
