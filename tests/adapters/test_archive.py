import contextlib
import io
import struct
import time
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.archive import Archive, Caps, Overrun, open_archive
from mappings.record.issue import Issue, IssueCode


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def refused(source: bytes, caps: Caps | None = None) -> IssueCode:
    found = open_archive(source, caps)
    assert isinstance(found, Issue)
    return found.code


def test_files_are_read_from_bytes_and_from_disk(tmp_path):
    data = packed({"users.csv": b"a,b\r\n", "folder/": b"", "folder/x.csv": b"1"})
    (tmp_path / "roster.zip").write_bytes(data)
    for source in (data, tmp_path / "roster.zip"):
        archive = open_archive(source)
        assert isinstance(archive, Archive)
        with archive:
            assert archive.names == ("users.csv", "folder/x.csv")
            assert archive.open("users.csv").read() == b"a,b\r\n"


@pytest.mark.parametrize(
    "name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "C:evil.csv", "a\\b.csv"]
)
def test_names_that_point_elsewhere_are_refused(name):
    # zipfile itself rewrites a backslash where it is the system's separator; here it is not
    assert refused(packed({name: b"x"})) is IssueCode.FORBIDDEN


def test_what_is_no_zip_or_half_of_one_is_refused():
    whole = packed({"users.csv": b"a,b\r\n" * 1000})
    for data in (b"", b"not a zip", whole[: len(whole) // 2], whole[:-10], b"PK\x05\x06"):
        assert refused(data) is IssueCode.BAD_ARCHIVE


def test_damage_inside_an_entry_is_noticed_while_reading():
    data = bytearray(packed({"users.csv": bytes(range(256)) * 500}))
    for at in range(60, 200):
        data[at] ^= 0xFF
    archive = open_archive(bytes(data))
    assert isinstance(archive, Archive)
    with archive, pytest.raises(Overrun) as fault:
        archive.open("users.csv").read()
    assert fault.value.code is IssueCode.BAD_ARCHIVE


def test_an_encrypted_zip_is_refused():
    data = bytearray(packed({"users.csv": b"x"}, zipfile.ZIP_STORED))
    directory = data.rfind(b"PK\x01\x02")
    data[directory + 8] |= 1  # general purpose flag, bit 0 (APPNOTE 4.4.4)
    assert refused(bytes(data)) is IssueCode.BAD_ARCHIVE


def test_unusual_compression_is_refused():
    assert refused(packed({"users.csv": b"x" * 100}, zipfile.ZIP_BZIP2)) is IssueCode.BAD_ARCHIVE


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_entries_of_one_name_are_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("users.csv", b"one")
        archive.writestr("users.csv", b"two")
    assert refused(buffer.getvalue()) is IssueCode.BAD_ARCHIVE


def test_a_file_that_unpacks_to_a_gigabyte_is_refused_by_its_own_announcement():
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("users.csv", "w") as entry,
    ):
        for _ in range(1024):
            entry.write(bytes(2**20))
    tracemalloc.start()
    started = time.monotonic()
    try:
        assert refused(buffer.getvalue()) is IssueCode.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 1


def test_a_file_that_lies_about_its_size_is_cut_off_while_reading():
    data = bytearray(packed({"users.csv": b"a" * 50_000}))
    directory = data.rfind(b"PK\x01\x02")
    struct.pack_into("<L", data, directory + 24, 1000)  # uncompressed size in the central directory
    archive = open_archive(bytes(data))
    assert isinstance(archive, Archive)
    with archive, pytest.raises(Overrun):
        archive.open("users.csv").read()


def test_caps_on_size_sum_and_number_hold():
    files = {f"{number}.csv": b"x" * 1000 for number in range(5)}
    assert refused(packed(files), Caps(packed=100)) is IssueCode.TOO_LARGE
    assert refused(packed(files), Caps(unpacked=4000)) is IssueCode.TOO_LARGE
    assert refused(packed(files), Caps(entry=999)) is IssueCode.TOO_LARGE
    assert refused(packed(files), Caps(entries=4)) is IssueCode.TOO_LARGE
    assert isinstance(open_archive(packed(files), Caps(entries=5)), Archive)


def test_a_two_gigabyte_file_is_refused_without_being_read(tmp_path):
    path = tmp_path / "roster.zip"
    with path.open("wb") as file:
        file.truncate(2_000_000_000)
    started = time.monotonic()
    found = open_archive(path)
    assert isinstance(found, Issue)
    assert found.code is IssueCode.TOO_LARGE
    assert time.monotonic() - started < 1


def test_a_million_entries_are_refused_before_they_are_listed():
    data = bytearray(packed({"users.csv": b"x"}))
    end = data.rfind(b"PK\x05\x06")
    struct.pack_into("<2H", data, end + 8, 65_535, 65_535)
    assert refused(bytes(data)) is IssueCode.TOO_LARGE


def test_a_missing_file_is_an_issue(tmp_path):
    found = open_archive(tmp_path / "absent.zip")
    assert isinstance(found, Issue)


@given(st.binary(max_size=400), st.integers(0, 300), st.integers(0, 255))
def test_no_bytes_whatever_raise(noise, at, value):
    whole = bytearray(packed({"users.csv": b"a,b\r\n" * 20}))
    whole[at % len(whole)] = value
    for data in (noise, bytes(whole), whole + noise):
        archive = open_archive(bytes(data))
        if isinstance(archive, Archive):
            with archive:
                for name in archive.names:
                    with contextlib.suppress(Overrun):
                        archive.open(name).read()
