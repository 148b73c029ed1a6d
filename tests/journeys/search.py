"""Finding what is private in files of any kind: every way it may be written, and one pass of grep over whole folders.

grep runs in the C locale on bytes, so letters match in either case and a file need not be text.
"""

import base64
import json
import os
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

SHORTEST = 7
"""Bytes. Six bytes of ciphertext spell some six-letter name by chance about once in a thousand runs; seven do not."""

_STROKES = str.maketrans("đĐ", "dD")
_GREP_FOUND, _GREP_NOTHING, _GREP_TROUBLE = 0, 1, 2


@dataclass(frozen=True, order=True)
class Found:
    """A private string in a file, and the bytes that stood there."""

    path: str
    private: str
    form: bytes


def spellings(text: str) -> Iterator[str]:
    """The same words: composed and decomposed, without diacritics, in small and in capital letters."""
    decomposed = unicodedata.normalize("NFD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_STROKES)
    for one in (text, unicodedata.normalize("NFC", text), decomposed, bare):
        yield from (one, one.lower(), one.upper())


def plain_forms(text: str) -> set[bytes]:
    """As characters: UTF-8, UTF-16 in both orders, JSON with escapes."""
    found = {text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")}
    return found | {json.dumps(text)[1:-1].encode()}


def base64_forms(raw: bytes) -> Iterator[bytes]:
    """What does not depend on the neighbours, at each of the three places in a group, in both alphabets (RFC 4648 §4, §5)."""
    for before in range(3):
        bits = 8 * (before + len(raw))
        whole = base64.b64encode(bytes(before) + raw)[-(-8 * before // 6) : bits // 6]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def forms(text: str) -> set[bytes]:
    """Every way it is looked for; letters of either case match each other, so hex is given once."""
    found: set[bytes] = set()
    for spelt in set(spellings(text)):
        for raw in plain_forms(spelt):
            found |= {raw, raw.hex().encode(), *base64_forms(raw)}
        found |= {quote(spelt).encode(), quote_plus(spelt).encode()}
    return {form for form in found if len(form) >= SHORTEST and b"\n" not in form}


def search(private: Iterable[str], places: Iterable[Path], patterns: Path) -> list[Found]:
    """What of this stands anywhere in these files and folders. `patterns` is a file the search may write."""
    whose = {form.lower(): text for text in sorted(private) for form in forms(text)}
    patterns.write_bytes(b"\n".join(sorted(whose)) + b"\n")
    done = subprocess.run(
        ["grep", "-r", "-a", "-i", "-F", "-o", "-H", "-Z", "-f", patterns, "--", *places],
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    # a running database server deletes files while they are read; anything else grep complains of is a fault of the search
    trouble = [line for line in done.stderr.splitlines() if not line.endswith(b"No such file or directory")]
    assert not trouble, trouble[:5]
    assert done.returncode in {_GREP_FOUND, _GREP_NOTHING, _GREP_TROUBLE}
    found = set()
    for line in done.stdout.splitlines():
        path, _, form = line.partition(b"\0")
        found.add(Found(os.fsdecode(path), whose[form.lower()], form))
    return sorted(found)
