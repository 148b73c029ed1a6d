import os
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.community.folder import SETTLE_S, FolderDestination, PickedUp, PickUp
from adapters.port import Cause, Delivered, Refused, SealBroken, Sealed, StaleDecision, Transient
from mappings.record.issue import Issue, IssueCode, Severity
from tests.adapters.fhir.orders import DELIVERY, sealed

NAME = f"{DELIVERY}.csv"
BODY = b"referral_id,status\r\nrf-7Q,\r\n"
WRONG = Issue(
    severity=Severity.ERROR, code=IssueCode.BAD_HEADER, path="back.csv:1", text="The header is missing."
)


def drop(folder: Path, what: Sealed | None = None, opened: Any = lambda: None) -> Any:
    return FolderDestination(folder).deliver(what or sealed(BODY), opened=opened)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


class TestDropping:
    def test_the_file_appears_under_its_delivery_id(self, tmp_path):
        result = drop(tmp_path)
        assert isinstance(result, Delivered)
        assert result.receipt.locations == (NAME,)
        assert visible(tmp_path) == [NAME]
        assert (tmp_path / NAME).read_bytes() == BODY
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o640 & ~current_umask()

    def test_a_second_attempt_changes_nothing_also_when_the_partner_has_taken_the_file(self, tmp_path):
        drop(tmp_path)
        again = drop(tmp_path)
        assert isinstance(again, Delivered)
        assert again.receipt.repeated
        (tmp_path / NAME).unlink()
        taken = drop(tmp_path)
        assert isinstance(taken, Delivered)
        assert taken.receipt.repeated
        assert visible(tmp_path) == []

    def test_a_reader_sees_the_whole_file_or_none(self, tmp_path):
        body = b"x" * 3_000_000
        sizes: set[int] = set()
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                for path in tmp_path.glob("*.csv"):
                    sizes.add(path.stat().st_size)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(20):
            assert isinstance(drop(tmp_path, sealed(body, UUID(int=number))), Delivered)
        done.set()
        watcher.join()
        assert sizes <= {len(body)}

    def test_a_stale_decision_leaves_nothing_behind(self, tmp_path):
        seen: list[list[str]] = []

        def stale() -> None:
            seen.append([path.name for path in (tmp_path / ".partial").iterdir()])
            assert (tmp_path / ".partial" / NAME).read_bytes() == b""
            raise StaleDecision

        with pytest.raises(StaleDecision):
            drop(tmp_path, None, stale)
        assert seen == [[NAME]]
        assert visible(tmp_path) == []
        assert list((tmp_path / ".partial").iterdir()) == []
        assert isinstance(drop(tmp_path), Delivered)

    def test_a_broken_seal_drops_nothing(self, tmp_path):
        good = sealed(BODY)
        broken = Sealed(b"x", good.entry, good.delivery_id, good.payload_sha256, good.decided_at, good.proof)
        with pytest.raises(SealBroken):
            drop(tmp_path, broken)
        assert visible(tmp_path) == []

    def test_what_a_crash_left_half_written_is_written_anew(self, tmp_path):
        (tmp_path / ".partial").mkdir()
        (tmp_path / ".partial" / NAME).write_bytes(b"half of something much longer than the body " * 10)
        drop(tmp_path)
        assert (tmp_path / NAME).read_bytes() == BODY

    def test_a_missing_folder_waits_for_somebody_to_mount_it(self, tmp_path):
        assert drop(tmp_path / "not" / "mounted") == Transient(Cause.FOLDER)
        assert visible(tmp_path) == []

    def test_a_full_disk_waits_and_a_forbidden_folder_does_not(self, tmp_path, monkeypatch):
        for number, expected in [
            (28, Transient(Cause.FOLDER)),
            (13, Refused(Cause.FOLDER)),
            (30, Refused(Cause.FOLDER)),
        ]:

            def fail(_descriptor: int, number: int = number) -> None:
                raise OSError(number, "as ordered")

            monkeypatch.setattr(os, "fsync", fail)
            assert drop(tmp_path) == expected
            assert visible(tmp_path) == []
            assert list((tmp_path / ".partial").iterdir()) == []

    def test_a_link_somebody_laid_where_the_file_is_written_is_not_followed(self, tmp_path):
        outside = tmp_path / "outside.txt"
        outside.write_text("precious")
        folder = tmp_path / "drop"
        (folder / ".partial").mkdir(parents=True)
        (folder / ".partial" / NAME).symlink_to(outside)
        assert drop(folder) == Transient(Cause.FOLDER)
        assert outside.read_text() == "precious"


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def put(folder: Path, name: str, body: bytes = b"filled in", age: float = SETTLE_S + 1) -> Path:
    path = folder / name
    path.write_bytes(body)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def pick(folder: Path, max_bytes: int = 1000) -> PickUp:
    return PickUp(folder, time.time, max_bytes)


def taken(folder: Path) -> list[PickedUp]:
    with pick(folder) as pickup:
        return list(pickup.files())


class TestPickingUp:
    def test_files_are_read_and_then_kept_as_processed_or_as_quarantined(self, tmp_path):
        put(tmp_path, "good.csv", b"good", age=20)
        put(tmp_path, "back.csv", b"bad", age=10)
        with pick(tmp_path) as pickup:
            good, bad = pickup.files()
            assert (good.name, good.body, bad.body) == ("good.csv", b"good", b"bad")
            pickup.processed(good)
            pickup.quarantined(bad, [WRONG])
        assert visible(tmp_path) == ["processed", "quarantine"]
        assert (tmp_path / "processed" / "good.csv").read_bytes() == b"good"
        assert (tmp_path / "quarantine" / "back.csv").read_bytes() == b"bad"
        note = (tmp_path / "quarantine" / "back.csv.why.txt").read_text()
        assert note == "error bad-header back.csv:1: The header is missing.\n"
        assert taken(tmp_path) == []

    @pytest.mark.parametrize(
        "name", ["~$open.xlsx", ".hidden.csv", "a.part", "a.TMP", "a.csv.crdownload", "a.filepart"]
    )
    def test_files_named_as_unfinished_are_left(self, tmp_path, name):
        put(tmp_path, name)
        assert taken(tmp_path) == []
        assert (tmp_path / name).exists()

    def test_a_file_that_is_still_being_written_is_left_until_it_rests(self, tmp_path):
        path = put(tmp_path, "back.csv", age=SETTLE_S - 1)
        assert taken(tmp_path) == []
        put(tmp_path, "back.csv")
        assert [file.name for file in taken(tmp_path)] == ["back.csv"]
        assert not path.exists()

    def test_what_was_not_finished_is_given_again(self, tmp_path):
        put(tmp_path, "back.csv")
        assert [file.name for file in taken(tmp_path)] == ["back.csv"]
        assert [file.name for file in taken(tmp_path)] == ["back.csv"]

    def test_a_second_worker_finds_nothing_while_the_first_is_at_it(self, tmp_path):
        put(tmp_path, "back.csv")
        with pick(tmp_path) as first, pick(tmp_path) as second:
            assert second.busy
            assert list(second.files()) == []
            assert len(list(first.files())) == 1
        assert len(taken(tmp_path)) == 1

    def test_a_second_file_of_the_same_name_replaces_nothing(self, tmp_path):
        for body in (b"one", b"two"):
            put(tmp_path, "back.csv", body)
            with pick(tmp_path) as pickup:
                for file in pickup.files():
                    pickup.processed(file)
        kept = {path.name: path.read_bytes() for path in (tmp_path / "processed").iterdir()}
        assert kept == {"back.csv": b"one", "back-2.csv": b"two"}

    def test_links_pipes_and_large_files_are_given_without_a_body(self, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        secret = put(tmp_path / "elsewhere", "secret.txt", b"precious")
        link, pipe = tmp_path / "link.csv", tmp_path / "pipe.csv"
        link.symlink_to(secret)
        os.mkfifo(pipe)
        put(tmp_path, "large.csv", b"x" * 1001)
        for path in (link, pipe):
            os.utime(path, (time.time() - 60, time.time() - 60), follow_symlinks=path is not link)
        os.utime(link, (time.time() - 60, time.time() - 60), follow_symlinks=False)
        with pick(tmp_path) as pickup:
            found = {file.name: file for file in pickup.files()}
            assert {name: file.body for name, file in found.items()} == dict.fromkeys(
                ("link.csv", "pipe.csv", "large.csv")
            )
            for file in found.values():
                pickup.quarantined(file, [WRONG])
        assert secret.read_bytes() == b"precious"
        assert taken(tmp_path) == []

    def test_folders_are_left_alone(self, tmp_path):
        put(tmp_path, "x.csv")
        (tmp_path / "archive").mkdir()
        assert [file.name for file in taken(tmp_path)] == ["x.csv"]
        assert (tmp_path / "archive").is_dir()

    def test_the_body_of_a_file_never_shows(self, tmp_path):
        put(tmp_path, "back.csv", b"Ama Boateng")
        assert "Ama" not in repr(taken(tmp_path))
