"""`planhub map …`: write, check, preview, explain, compare, publish, approve and roll back maps (docs/maps.md)."""

import getpass
import json as json_text
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import JsonFlag, YesFlag, confirm, fail, say, show, show_json, table

if TYPE_CHECKING:
    from mappings.engine.compiled import CompiledMap
    from mappings.engine.shipped import MapFiles

app = typer.Typer(no_args_is_help=True, help="Maps: planhub map check FOLDER")

Folder = Annotated[Path, typer.Argument(help="The map's folder, the one that holds map.yaml.")]
Name = Annotated[str, typer.Argument(help="owner/name@version, as in planhub/edfi-student@1.0.0")]
By = Annotated[str, typer.Option("--by", help="Who does this; default: your login name.")]


def _files(folder: Path) -> "MapFiles":
    from gateway.cli.mapfolder import MapFolderError, read_map_folder

    try:
        return read_map_folder(folder)
    except MapFolderError as error:
        fail("this map cannot be read", str(error), "docs/maps.md says what a map folder holds", Exit.USAGE)


def _compiled(folder: Path) -> tuple["MapFiles", "CompiledMap"]:
    files = _files(folder)
    compilation = files.compile()
    if compilation.map is None:
        for error in compilation.errors:
            show(str(error))
        fail(
            "the map does not compile",
            f"{len(compilation.errors)} faults",
            f"mend them and run planhub map check {folder}",
            Exit.CHECK_FAILED,
        )
    return files, compilation.map


@app.command()
def new(
    folder: Folder,
    start: Annotated[str, typer.Option("--from", help="A shipped map to start from.")],
    name: Annotated[str, typer.Option("--id", help="The new map's id: your community and a name.")],
) -> None:
    """Start a map of your own from a shipped one: `planhub map new maps/student --from planhub/edfi-student --id elm-city/student`."""
    from gateway.cli.mapfolder import write_map_folder
    from mappings.engine.shipped import shipped_files

    found = [f for f in shipped_files() if f"map: {start}\n" in f.map_text]
    if not found:
        known = ", ".join(
            sorted(re.findall(r"^map: (\S+)", "\n".join(f.map_text for f in shipped_files()), re.MULTILINE))
        )
        fail(
            f"no shipped map is called {start}",
            "it is not in this release",
            f"choose from: {known}",
            Exit.USAGE,
        )
    if folder.exists():
        fail(f"{folder} exists", "a map is never written over", "choose another folder", Exit.CONFLICT)
    owner = name.partition("/")[0]
    text = found[0].map_text.replace(f"map: {start}\n", f"map: {name}\n")
    text = re.sub(r"^owner: .*$", f"owner: {owner}", text, flags=re.MULTILINE)
    text = re.sub(r"^version: .*$", "version: 0.1.0", text, flags=re.MULTILINE)
    write_map_folder(folder, found[0], text)
    say(f"Wrote {folder}. Edit map.yaml, then: planhub map check {folder}")


@app.command()
def check(folder: Folder, json: JsonFlag = False) -> None:
    """Compile a map, run its samples and probe it for leaks: `planhub map check maps/student`."""
    from mappings.engine.probe import probe
    from mappings.engine.samples import check_samples, never_fired

    files, compiled = _compiled(folder)
    outcomes = check_samples(compiled, files.samples, files.expected)
    leaks = [leak for text in files.samples.values() for leak in probe(compiled, json_text.loads(text)).leaks]
    unused = never_fired(compiled, files.samples)
    failed = [o for o in outcomes if not o.ok]
    if json:
        show_json(
            {
                "map": compiled.id,
                "version": compiled.version,
                "ok": not failed and not leaks,
                "samples": [{"name": o.name, "ok": o.ok, "differences": o.differences} for o in outcomes],
                "leaks": [{"path": k.path, "rule": k.rule, "why": k.why} for k in leaks],
                "never_fired": unused,
            }
        )
    else:
        for o in outcomes:
            show(f"{'ok  ' if o.ok else 'FAIL'} {o.name}")
            for line in o.differences:
                show(f"     {line}")
        for leak in leaks:
            show(f"LEAK {leak.path} reaches {leak.rule}: {leak.why}")
        for rule in unused:
            show(f"note {rule}: no sample makes it fire")
        say(
            f"{compiled.id}@{compiled.version}: {len(outcomes)} samples, {len(failed)} failed, {len(leaks)} leaks"
        )
    if failed or leaks:
        raise typer.Exit(Exit.CHECK_FAILED)


@app.command()
def preview(
    folder: Folder,
    sample: Annotated[
        Path | None, typer.Argument(help="A JSON document; default: the map's own samples.")
    ] = None,
    regold: Annotated[
        bool,
        typer.Option("--regold", help="Write expected/*.json anew; read the difference before keeping it."),
    ] = False,
) -> None:
    """Show what a map makes of a document: `planhub map preview maps/student samples/plain.json`."""
    from mappings.engine.samples import regold as made
    from mappings.engine.samples import rendered

    files, compiled = _compiled(folder)
    if sample is not None:
        show(rendered(compiled.run_text(sample.read_bytes())).rstrip())
        return
    for name, text in made(compiled, files.samples).items():
        if regold:
            (folder / "expected").mkdir(exist_ok=True)
            (folder / "expected" / name).write_text(text, encoding="utf-8")
            say(f"Wrote {folder / 'expected' / name}")
        else:
            show(f"# {name}\n{text.rstrip()}")


@app.command()
def explain(
    folder: Folder,
    json: JsonFlag = False,
    loss: Annotated[bool, typer.Option("--loss", help="The loss table instead.")] = False,
) -> None:
    """Say where every field comes from and what is lost: `planhub map explain maps/student --loss`."""
    from mappings.engine.explain import explain as origins
    from mappings.engine.loss import loss_table

    _, compiled = _compiled(folder)
    if loss:
        lost = loss_table(compiled)
        show_json(lost.data()) if json else show(lost.markdown().rstrip())
    elif json:
        show_json({"origins": [o.data() for o in origins(compiled)]})
    else:
        for origin in origins(compiled):
            show(str(origin))


@app.command()
def diff(
    old: Folder,
    new_: Annotated[Path, typer.Argument(metavar="NEW", help="The other folder.")],
    json: JsonFlag = False,
) -> None:
    """Compare two maps, rules and what they make of the samples: `planhub map diff maps/student maps/student-2`."""
    from dataclasses import asdict

    from mappings.engine.diff import diff_maps

    (files, before), (_, after) = _compiled(old), _compiled(new_)
    found = diff_maps(before, after, files.samples)
    if json:
        show_json({"same": found.same, **asdict(found)})
        return
    for label in ("header", "added", "removed", "changed", "tables", "reads_added", "reads_removed"):
        for line in getattr(found, label):
            show(f"{label.replace('_', ' ')}: {line}")
    for name, lines in found.results.items():
        show(f"sample {name}:")
        for line in lines:
            show(f"  {line}")
    if found.same:
        say("No difference.")


@app.command("list")
def list_(json: JsonFlag = False) -> None:
    """List every map version, who published and who approved it: `planhub map list`."""
    from gateway.cli.hub import opened
    from gateway.store import maps

    with opened() as hub, hub.db.transaction() as conn:
        rows = maps.list_versions(conn)
        used = {(n.map, n.version) for n in maps.in_use(conn).values()}
    if json:
        show_json({"maps": [{**dict(r), "content_hash": bytes(r["content_hash"]).hex()} for r in rows]})
        return
    table(
        [
            (
                r["map"],
                r["version"],
                r["state"],
                "in use" if (r["map"], r["version"]) in used else "",
                r["published_by"],
                r["approved_by"],
            )
            for r in rows
        ],
        ("map", "version", "state", "", "published by", "approved by"),
    )


@app.command()
def publish(
    folder: Folder,
    note: Annotated[str, typer.Option("--note", "-m", help="Why, in one line.")],
    by: By = "",
    yes: YesFlag = False,
) -> None:
    """Put a map forward for a second person to approve: `planhub map publish maps/student -m "dates are US style"`."""
    from gateway.cli.hub import opened
    from gateway.store import maps

    files, compiled = _compiled(folder)
    check(folder, json=False)
    confirm(f"Publish {compiled.id}@{compiled.version}?", yes=yes)
    with opened() as hub, hub.db.transaction() as conn:
        refusal = maps.publish(conn, files, compiled, by or getpass.getuser(), hub.clock(), note)
    _report(
        refusal,
        f"{compiled.id}@{compiled.version}",
        f"Published, waiting for a second person: planhub map approve {compiled.id}@{compiled.version}",
    )


@app.command()
def approve(name: Name, by: By = "") -> None:
    """Take a published version into use; never the person who published it: `planhub map approve elm-city/student@0.2.0`."""
    from gateway.cli.hub import opened
    from gateway.store import maps

    with opened() as hub, hub.db.transaction() as conn:
        refusal = maps.approve(conn, maps.parse_name(name), by or getpass.getuser(), hub.clock())
    _report(refusal, name, f"{name} is in use.")


@app.command()
def rollback(
    name: Name, note: Annotated[str, typer.Option("--note", "-m", help="Why, in one line.")], by: By = ""
) -> None:
    """Publish an older version again, for a second person to approve: `planhub map rollback elm-city/student@0.1.0 -m "…"`."""
    from gateway.cli.hub import opened
    from gateway.store import maps

    with opened() as hub, hub.db.transaction() as conn:
        stored = maps.load(conn, maps.parse_name(name))
        if stored is None or (compiled := stored[0].compile().map) is None:
            fail(
                f"{name} cannot be rolled back to",
                "no such approved version is here",
                "planhub map list",
                Exit.USAGE,
            )
        refusal = maps.publish(conn, stored[0], compiled, by or getpass.getuser(), hub.clock(), note)
    _report(refusal, name, f"Published again, waiting for a second person: planhub map approve {name}")


def _report(refusal: object, name: str, done: str) -> None:
    why = {
        "other-content": ("this version exists with other content", "give the map a new version number"),
        "not-published": ("it is not waiting for approval", "planhub map list"),
        "same-person": ("whoever published a map cannot approve it", "ask a second person"),
    }
    if refusal is None:
        say(done)
        return
    reason, step = why[str(refusal)]
    code = Exit.NOT_ALLOWED if str(refusal) == "same-person" else Exit.CONFLICT
    fail(f"{name}: refused", reason, step, code)
