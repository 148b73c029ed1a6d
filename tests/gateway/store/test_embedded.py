import json
import os
import shutil
import signal
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from gateway.store.embedded import PostgresError, ensure_postgres
from gateway.store.engine import libpq_url, open_database
from tests.gateway.store.processes import alive, crash, family, folder_of, one


def test_a_new_home_gets_a_server_with_checksums_scram_utf8_and_no_tcp(home):
    with ensure_postgres(home) as server:
        admin = server.urls.admin
        assert str(one(admin, "SHOW server_version")).startswith("18")
        assert one(admin, "SHOW listen_addresses") == ""
        assert one(admin, "SHOW data_checksums") == "on"
        assert one(admin, "SHOW fsync") == "on"
        assert one(admin, "SHOW synchronous_commit") == "on"
        assert one(admin, "SHOW server_encoding") == "UTF8"
        assert one(
            admin, "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'planhub'"
        ) == ("bC.UTF-8")
        assert one(admin, "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules") == [
            "scram-sha-256"
        ]
        assert one(admin, "SELECT count(*) FROM pg_authid WHERE rolpassword NOT LIKE 'SCRAM-SHA-256$%'") == 0


def test_socket_data_and_passwords_are_the_owners_alone(home):
    with ensure_postgres(home) as server:
        folder = folder_of(server)
        for private in (folder / "socket", folder / "data", folder / "log", home / "keys"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert stat.S_IMODE((home / "keys" / "postgresql.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / "log" / "server.log").stat().st_mode) == 0o600
        assert "tulips" not in repr(server.urls)
        assert json.loads((home / "keys" / "postgresql.json").read_text())["planhub_app"] not in repr(
            server.urls
        )


def test_what_fails_in_a_statement_never_reaches_the_servers_log(home):
    with ensure_postgres(home) as server:
        with psycopg.connect(libpq_url(server.urls.admin), autocommit=True) as connection:
            connection.execute("CREATE TABLE canary (name text UNIQUE)")
            connection.execute("INSERT INTO canary VALUES ('Wilhelmina Canary')")
            for statement, values in (
                (b"INSERT INTO canary VALUES (%s)", ("Wilhelmina Canary",)),
                (b"INSERT INTO canary VALUES ('Wilhelmina Canary')", None),
                (b"SELECT cast(%s AS uuid)", ("Wilhelmina Canary",)),
                (b"SELECT 'Wilhelmina Canary'::int", None),
                (b"SELECT Wilhelmina Canary syntax", None),
                (b"DO $$ BEGIN RAISE WARNING 'Wilhelmina Canary'; END $$", None),
            ):
                with suppress(psycopg.Error):
                    connection.execute(statement, values)
            with pytest.raises(psycopg.Error), connection.cursor().copy("COPY canary FROM STDIN") as copy:
                copy.write_row(("Wilhelmina Canary",))
        log = (folder_of(server) / "log" / "server.log").read_text()
        assert "ready to accept connections" in log
        assert "Wilhelmina" not in log


def test_what_was_written_is_there_after_a_restart(home):
    with ensure_postgres(home) as server, psycopg.connect(libpq_url(server.urls.admin)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    with ensure_postgres(home) as server:
        assert one(server.urls.admin, "SELECT n FROM kept") == 7


def test_a_server_that_was_killed_is_started_again_with_every_commit(home):
    with ensure_postgres(home) as server:
        with psycopg.connect(libpq_url(server.urls.admin)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        before = server.pid
        assert server.revive() is False
        crash(server)
        assert server.pid is None
        assert server.revive() is True
        assert server.pid not in {None, before}
        assert one(server.urls.admin, "SELECT n FROM kept") == 7


def test_the_next_process_to_come_starts_a_server_that_was_killed(home):
    with ensure_postgres(home) as server:
        crash(server)
        with ensure_postgres(home) as next_one:
            assert one(next_one.urls.app, "SELECT 1") == 1
            assert server.revive() is False


def test_a_pool_finds_the_server_again_after_a_crash(home):
    with ensure_postgres(home) as server:
        database = open_database(server.urls.app, pool_size=2)
        with database.transaction() as connection:
            connection.exec_driver_sql("SELECT 1")
        crash(server)
        server.revive()
        with database.transaction() as connection:
            assert connection.exec_driver_sql("SELECT 2").scalar_one() == 2
        database.close()


def test_sessions_a_dead_server_left_behind_hold_up_the_start_rather_than_meet_a_second_server(home):
    with ensure_postgres(home) as server:
        with psycopg.connect(libpq_url(server.urls.admin), autocommit=True) as connection:
            left = connection.info.backend_pid
            os.kill(left, signal.SIGSTOP)  # a session too busy to notice that its server died
            crash(server)
            resumed = []

            def resume():
                resumed.append((time.monotonic(), alive(left)))
                os.kill(left, signal.SIGCONT)

            timer = threading.Timer(1.5, resume)
            timer.start()
            try:
                server.revive()
                started = time.monotonic()
            finally:
                timer.join()
        assert resumed[0][1]
        assert started > resumed[0][0]
        assert not alive(left)
        assert one(server.urls.app, "SELECT 1") == 1


def test_crash_recovery_of_more_than_ten_seconds_starts_cleanly(home):
    with ensure_postgres(home) as server:
        with psycopg.connect(libpq_url(server.urls.admin), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            for _ in range(6):  # 96 MB of log to replay, so that the replay can be caught and held
                connection.execute("SELECT pg_logical_emit_message(false, 'x', repeat('x', 16000000))")
            connection.execute("INSERT INTO kept VALUES (7)")
        crash(server)
        held: list[float] = []
        watch = threading.Thread(target=hold_recovery, args=(folder_of(server) / "data", held))
        watch.start()
        began = time.monotonic()
        server.revive()
        took = time.monotonic() - began
        watch.join(30)
        assert held, "the recovery was over before it could be held"
        assert took > 10.5
        assert one(server.urls.admin, "SELECT n FROM kept") == 7


def hold_recovery(data: Path, held: list[float]) -> None:
    """Stop the recovering process for 10.5 s, which is longer than the wheel's own launcher would wait."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            continue
        for pid in family(postmaster) - {postmaster}:
            try:
                title = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"startup" in title:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(10.5)
                os.kill(pid, signal.SIGCONT)
                held.append(10.5)
                return


def test_a_pid_file_that_names_another_program_is_not_believed(home):
    with ensure_postgres(home) as server:
        folder = folder_of(server)
        pid = server.pid
    assert pid is not None
    stale = folder / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{folder / 'data'}\n1\n5432\n{folder / 'socket'}\n\n1 1\nready   \n")
    with ensure_postgres(home) as server:
        assert server.pid not in {pid, os.getpid()}


def test_a_first_start_that_was_cut_short_is_completed(home):
    with ensure_postgres(home) as server:
        folder = folder_of(server)
    (folder / "databases-prepared").unlink()
    with ensure_postgres(home) as server:
        assert one(server.urls.app, "SELECT 1") == 1
    shutil.move(folder / "data", folder / "data.new")  # as if initdb had been killed
    (folder / "databases-prepared").unlink()
    with ensure_postgres(home) as server:
        assert one(server.urls.app, "SELECT 1") == 1
    assert not (folder / "data.new").exists()


def test_a_server_that_cannot_start_says_why_and_gives_the_share_back(home):
    with ensure_postgres(home) as server:
        folder = folder_of(server)
    (folder / "local.conf").write_text("shared_buffers = 'plenty'\n")
    with pytest.raises(PostgresError, match='invalid value for parameter "shared_buffers"'):
        ensure_postgres(home)
    (folder / "local.conf").write_text("work_mem = '5MB'\n")
    with ensure_postgres(home) as server:
        assert one(server.urls.app, "SHOW work_mem") == "5MB"


def test_lost_passwords_are_a_clear_refusal_not_a_new_set(home):
    with ensure_postgres(home):
        pass
    (home / "keys" / "postgresql.json").unlink()
    with pytest.raises(PostgresError, match="is missing, so nobody can sign in"):
        ensure_postgres(home)
    assert not (home / "keys" / "postgresql.json").exists()
