"""Nothing of a demo run's children stands anywhere it is not sealed: logs, messages, error bodies, database, backups, files.

Searched, for every spelling and encoding of `tests.journeys.search`:

* what every process of the run wrote to its standard output and error, at log level debug;
* the hub's answers to wrong requests full of private strings, and what intake says of wrong sheets;
* pg_dump of the main database and of the key store, as SQL and as an uncompressed archive; a base backup;
* the servers' own files: PostgreSQL's data with its whole write-ahead log, which is not compressed in this run; Valkey's
  append-only file, in which every message ever queued stands, and what is queued now; their logs;
* the hub's home with its keys and spool, and the temporary folder of all processes.

Not searched, because it holds private strings by right: the programme's folder, where what was permitted arrives as a
sheet, and the inputs the demo itself lays out (community file, OneRoster package, plan sheet).

Not looked for, because it turns up by chance or by right:

* anything shorter than seven bytes, in ciphertext of tens of megabytes;
* a birth date as eight digits, which hexadecimal of ciphertext spells; the other ways of writing it are looked for;
* names of the city's schools, agencies and staff, which are nobody's secret there.

The shipped maps stand in the database with their samples, so these name nobody of the city.

PostgreSQL compresses a long value in its own files; the dumps show it whole.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

from adapters.sandbox.city import City, clinic_resources, plan_sheet
from consent.vocabulary import Reason
from gateway.exchange.wording import REASON
from gateway.settings import Settings
from gateway.store.account import server_account
from gateway.store.broker import ensure_broker
from gateway.store.embedded import EmbeddedPostgres, ensure_postgres
from gateway.store.engine import libpq_url
from gateway.store.logins import DATABASE, KEYS_DATABASE
from gateway.store.place import server_folder
from tests.journeys.search import SHORTEST, Found, forms, search
from tests.paths import ROOT

pytestmark = pytest.mark.needs("grep")

CHILDREN = 45
READY_S = 300
STOP_S = 90
WORDS = 4
"""A sentence of the plan with at least so many words is somebody's own; shorter ones are everybody's."""
INPUTS = ("after-school", "community.yaml", "roster.zip", "plan-sheet.csv")
CONTROL = "Wexcombe-Quillfeather 77 Sablegate"


@dataclass(frozen=True)
class Run:
    """A demo that has been played and still stands. `folder` is what the test may write."""

    folder: Path
    root: Path
    home: Path
    postgres: EmbeddedPostgres
    broker: str

    @property
    def postgres_files(self) -> Path:
        return server_folder(self.home, "postgresql", server_account())

    @property
    def valkey_files(self) -> Path:
        return server_folder(self.home, "valkey", server_account())


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """The demo's processes with a temporary folder of their own, played to the end and kept."""
    folder = Path(tempfile.mkdtemp(prefix="planhub-canary-"))
    folder.chmod(0o711)  # the servers' account walks through
    (folder / "tmp").mkdir(mode=0o711)
    try:
        with (folder / "output").open("wb") as output, (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.journeys.demo_run", str(folder), str(CHILDREN)],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(folder / "tmp")},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
            )
        try:
            where = _ready(folder, process)
            home = Path(where["home"])
            with (
                ensure_postgres(home) as postgres,
                ensure_broker(Settings(home=home, broker_url=None)) as broker,
            ):
                yield Run(folder, Path(where["root"]), home, postgres, broker.url)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            code = _ended(process)
        assert code == 0
        assert not Path(where["root"]).exists()
    finally:
        shutil.rmtree(folder)


def _ready(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, str]:
    until = time.monotonic() + READY_S
    while not (folder / "ready").exists():
        told = "".join(p.read_text()[-1500:] for p in (folder / "story", folder / "failed") if p.exists())
        assert process.poll() is None, told
        assert time.monotonic() < until, told
        time.sleep(0.1)
    found: dict[str, str] = json.loads((folder / "ready").read_text())
    return found


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait(STOP_S)


@pytest.fixture(scope="module")
def private(run) -> frozenset[str]:
    """Everything private there is about the children of the city; the product's own files say none of it."""
    found = _private()
    shipped = search(found, [ROOT / "mappings"], run.folder / "patterns")
    assert not shipped, told(shipped)
    return found


def _private() -> frozenset[str]:
    city = City.build(children=CHILDREN)
    found = set(city.private_strings())
    for child in city.children:
        birth = child.born
        found |= {f"{birth:%m/%d/%Y}", f"{birth.month}/{birth.day}/{birth.year}", f"{birth:%d.%m.%Y}"}
        found |= {f"{birth:%B} {birth.day}, {birth.year}", f"{child.last}, {child.first}"}
        found |= {child.first, child.last, *child.last.replace("-", " ").split()}
        for adult in child.guardians:
            digits = "".join(c for c in adult.phone if c.isdigit())
            found |= {f"{adult.first} {adult.last}", adult.last, adult.email or "", digits, f"+1{digits}"}
    return frozenset(one for one in found | _sentences(city) if len(one) >= SHORTEST)


def _sentences(city: City) -> set[str]:
    """What people wrote about a child in a plan sheet or at the clinic."""
    said = {row[name] for row in plan_sheet(city) for name in ("statement", "note_internal") if name in row}
    said |= {r["description"]["text"] for r in clinic_resources(city) if r["resourceType"] == "Goal"}
    return {one for one in said if len(one.split()) >= WORDS}


def dumps(run: Run, into: Path) -> list[Path]:
    """Dumps and a backup as an operator takes them, uncompressed so that they can be read."""
    into.mkdir()
    with psycopg.connect(libpq_url(run.postgres.urls.admin), autocommit=True) as admin:
        admin.execute("CHECKPOINT")
    made = []
    for name in (DATABASE, KEYS_DATABASE):
        url = libpq_url(run.postgres.urls.admin, database=name)
        _program(run, "pg_dump", "--dbname", url, "--file", str(into / f"{name}.sql"))
        archive = into / f"{name}.archive"
        _program(run, "pg_dump", "--dbname", url, "-Fd", "-Z0", "--file", str(archive))
        made += [into / f"{name}.sql", archive]
    return made


def backup(run: Run, into: Path) -> Path:
    _program(
        run, "pg_basebackup", "--dbname", libpq_url(run.postgres.urls.admin), "-D", str(into), "-c", "fast"
    )
    return into


def _program(run: Run, name: str, *words: str) -> None:
    done = subprocess.run([run.postgres.programs / name, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def queued(run: Run, into: Path) -> Path:
    """Every key the broker holds now, as it holds it."""
    with redis.Redis(unix_socket_path=run.broker.partition("://")[2].partition("?")[0]) as broker:
        held = {key: broker.dump(key) for key in broker.scan_iter()}
    into.write_bytes(b"\n".join(key + b"\n" + (value or b"") for key, value in held.items()))
    return into


def temporary(run: Run) -> list[Path]:
    """What lies in the processes' temporary folder, but for what the demo itself laid out there."""
    beside = [path for path in (run.folder / "tmp").iterdir() if path != run.root]
    return beside + [path for path in run.root.iterdir() if path.name not in INPUTS]


def told(found: list[Found]) -> str:
    """Where what was found stands, by place and form; a test's own report may show the city's invented people."""
    return "\n".join(f"{one.path}: {one.private!r} as {one.form!r}" for one in found[:60])


def looked_for(run: Run, private: frozenset[str], *places: Path) -> list[Found]:
    assert all(place.exists() for place in places)
    return search(private, places, run.folder / "patterns")


def test_no_log_of_any_process_names_a_child(run, private):
    logs = [run.folder / "output", run.folder / "errors"]
    assert (
        run.folder / "errors"
    ).stat().st_size > 100_000  # debug of four processes: there was something to leak
    found = looked_for(run, private, *logs)
    assert not found, told(found)


def test_the_story_names_people_and_reasons_in_words_and_never_by_an_id_or_a_code(run):
    story = (run.folder / "story").read_text()
    assert not re.search(r"guardian:|steward:", story)
    codes = "|".join(re.escape(reason.value) for reason in Reason)
    assert re.findall(rf"\((?:{codes})\)", story) == []
    assert re.search(rf"because {re.escape(REASON[Reason.RECIPIENT])}", story)
    assert re.search(rf"and by then {re.escape(REASON[Reason.REVOKED])}", story)


def test_no_error_body_gives_back_what_was_sent(run, private):
    answers = run.folder / "answers"
    assert len(list(answers.iterdir())) > 25
    found = looked_for(run, private, answers)
    assert not found, told(found)


def test_no_dump_and_no_backup_shows_a_child(run, private):
    made = [*dumps(run, run.folder / "dumps"), backup(run, run.folder / "backup")]
    assert (made[0]).read_text().count("\n") > 5_000
    found = looked_for(run, private, *made)
    assert not found, told(found)


def test_no_file_of_the_database_server_shows_a_child(run, private):
    found = looked_for(run, private, run.postgres_files)
    assert not found, told(found)


def test_no_message_that_was_ever_queued_shows_a_child(run, private):
    files = run.valkey_files
    messages = b"".join(path.read_bytes() for path in files.rglob("*.aof"))
    assert messages.count(b'"body"') > 10  # tasks did pass through it, and none has been compacted away
    found = looked_for(run, private, files, queued(run, run.folder / "queued"))
    assert not found, told(found)


def test_no_temporary_file_and_nothing_in_the_home_shows_a_child(run, private):
    found = looked_for(run, private, run.home, *temporary(run))
    assert not found, told(found)


def test_every_form_of_a_private_string_is_found_wherever_it_is_planted(run):
    """The control: the same search, told to look for a string that was planted, finds it in each kind of place."""
    plant = run.folder / "planted"
    plant.mkdir()
    for number, form in enumerate(sorted(forms(CONTROL))):
        (plant / f"{number:03}").write_bytes(os.urandom(4_000) + form + os.urandom(4_000))
    with psycopg.connect(libpq_url(run.postgres.urls.admin), autocommit=True) as admin:
        admin.execute("CREATE TABLE planted (words text, bytes bytea)")
        admin.execute("INSERT INTO planted VALUES (%s, %s)", (CONTROL, CONTROL.encode()))
    with redis.Redis(unix_socket_path=run.broker.partition("://")[2].partition("?")[0]) as broker:
        broker.rpush("planted", json.dumps({"body": CONTROL}))
    time.sleep(2)  # the broker writes to its file each second
    with (run.folder / "errors").open("ab") as errors:
        errors.write(f"{CONTROL}\n".encode())
    made = dumps(run, run.folder / "dumps-planted")

    found = search(
        [CONTROL],
        [plant, *made, run.postgres_files, run.valkey_files, queued(run, run.folder / "queued-planted"), run.folder / "errors"],
        run.folder / "patterns",
    )  # fmt: skip

    places = {Path(one.path) for one in found}
    assert set(plant.iterdir()) <= places
    assert run.folder / "errors" in places
    assert run.folder / "queued-planted" in places
    assert run.folder / "dumps-planted" / f"{DATABASE}.sql" in places
    assert {one.form for one in found if one.path.endswith(f"{DATABASE}.sql")} >= {
        CONTROL.encode(),
        CONTROL.encode().hex().encode(),
    }
    for part in (f"{DATABASE}.archive", "pg_wal", "base", "appendonlydir"):
        assert any(part in path.parts for path in places), part
