"""ZIP files from outside, opened within bounds and never unpacked to disk.

What is refused: more entries or bytes than the caps, a ratio only a bomb has, encryption, names that point elsewhere, two
entries of one name. Declared sizes are checked first and the bytes that really come out are counted again.
"""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Self

from mappings.record.issue import Issue, IssueCode, Severity

_END = struct.Struct("<4s4H2LH")  # end of central directory record, APPNOTE 4.3.16
_END_SIGNATURE = b"PK\x05\x06"
_MAX_COMMENT = 65_535
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError)
"""What zipfile raises on damaged input: hardly ever only its own exception."""
_FALSE_BOMB_BELOW = 10_000_000
"""Entries below this size may compress as well as they like."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Bounds in bytes, entries and unpacked bytes per packed byte."""

    packed: int = 512_000_000
    unpacked: int = 2_000_000_000
    entry: int = 1_000_000_000
    entries: int = 500
    ratio: int = 200


class Overrun(Exception):  # noqa: N818 - it names what happened
    """More came out of an entry than its caps allow, or its bytes are damaged; readers turn it into an Issue."""

    def __init__(self, code: IssueCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class _Counted(io.RawIOBase):
    """An entry's bytes, counted as they come out."""

    def __init__(self, stream: IO[bytes], cap: int) -> None:
        super().__init__()
        self._stream = stream
        self._left = cap

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int] | bytearray") -> int:  # type: ignore[override] # typeshed's Buffer is 3.12
        try:
            data = self._stream.read(len(buffer))
        except _DAMAGE as fault:
            raise Overrun(
                IssueCode.BAD_ARCHIVE, "The ZIP file is damaged here. Make it again and send it again."
            ) from fault
        self._left -= len(data)
        if self._left < 0:
            raise Overrun(IssueCode.TOO_LARGE, "The file is larger when unpacked than it may be. Split it.")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


class Archive:
    """A ZIP file whose directory has been checked. Close it, or use it in a `with` block."""

    def __init__(
        self, source: IO[bytes], file: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], caps: Caps
    ) -> None:
        self._source = source
        self._file = file
        self._entries = entries
        self._caps = caps
        self.names = tuple(entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._source.close()

    def open(self, name: str) -> io.BufferedReader:
        """The bytes of an entry. Reading raises Overrun where they are damaged or too many."""
        info = self._entries[name]
        try:
            stream = self._file.open(info)
        except _DAMAGE as fault:
            raise Overrun(
                IssueCode.BAD_ARCHIVE, "The ZIP file is damaged here. Make it again and send it again."
            ) from fault
        return io.BufferedReader(_Counted(stream, min(info.file_size, self._caps.entry)), 65_536)


def _refuse(code: IssueCode, text: str, path: str = "") -> Issue:
    return Issue(severity=Severity.ERROR, code=code, path=path, text=text)


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB"


def open_archive(source: Path | bytes, caps: Caps | None = None) -> Archive | Issue:
    """A ZIP file ready to read, or the Issue that says why it is refused; nothing of its content is in the text."""
    bounds = caps or Caps()
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > bounds.packed:
            return _refuse(
                IssueCode.TOO_LARGE,
                f"The file has {_megabytes(size)}; at most {_megabytes(bounds.packed)} are read. Split it.",
            )
        file: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    except OSError:
        return _refuse(
            IssueCode.BAD_ARCHIVE, "The file could not be opened. Check that it exists and may be read."
        )
    found = _opened(file, size, bounds)
    if isinstance(found, Issue):
        file.close()
    return found


def _opened(file: IO[bytes], size: int, caps: Caps) -> Archive | Issue:
    if _announced_entries(file, size) > caps.entries:
        return _refuse(
            IssueCode.TOO_LARGE, f"The ZIP file holds more than {caps.entries} files. Send only what belongs."
        )
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE:
        return _refuse(
            IssueCode.BAD_ARCHIVE,
            "The file is no ZIP file, or it is damaged. Make it again and send it again.",
        )
    entries: dict[str, zipfile.ZipInfo] = {}
    for number, info in enumerate(archive.infolist(), start=1):
        fault = _fault(info, number, caps)
        if fault is None and info.filename in entries:
            fault = _refuse(
                IssueCode.BAD_ARCHIVE, "Two files in the ZIP have the same name.", f"entry {number}"
            )
        if fault is not None:
            return fault
        if not info.is_dir():
            entries[info.filename] = info
    if sum(info.file_size for info in entries.values()) > caps.unpacked:
        return _refuse(
            IssueCode.TOO_LARGE,
            f"Unpacked, the ZIP file is larger than {_megabytes(caps.unpacked)}. Split it.",
        )
    return Archive(file, archive, entries, caps)


def _announced_entries(file: IO[bytes], size: int) -> int:
    """How many entries the end record announces, before anything allocates room for them; 0 where there is none."""
    file.seek(max(size - _END.size - _MAX_COMMENT, 0))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or at + _END.size > len(tail):
        return 0
    return int(
        _END.unpack_from(tail, at)[4]
    )  # 65,535 stands for "see the ZIP64 record": more than anyone needs


def _fault(info: zipfile.ZipInfo, number: int, caps: Caps) -> Issue | None:
    """What is wrong with one entry; entries are told by number, since names may be anything."""
    place = f"entry {number}"
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in info.filename or "\\" in info.filename:
        return _refuse(
            IssueCode.FORBIDDEN, "A name in the ZIP points outside it. Make the ZIP from plain files.", place
        )
    if info.flag_bits & 0x1:
        return _refuse(
            IssueCode.BAD_ARCHIVE, "The ZIP file is encrypted. Send it without a password, over HTTPS.", place
        )
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return _refuse(
            IssueCode.BAD_ARCHIVE, "The ZIP uses an unusual compression. Use ordinary ZIP (deflate).", place
        )
    if info.file_size > caps.entry:
        return _refuse(
            IssueCode.TOO_LARGE,
            f"A file in the ZIP is larger than {_megabytes(caps.entry)}. Split it.",
            place,
        )
    packed = max(info.compress_size, 1)
    if info.file_size > _FALSE_BOMB_BELOW and info.file_size / packed > caps.ratio:
        return _refuse(IssueCode.TOO_LARGE, "A file in the ZIP unpacks to far more than its size.", place)
    return None
