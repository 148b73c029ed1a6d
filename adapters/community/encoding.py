"""Which text a file from a small provider is: UTF-8, UTF-16 with its mark, else Windows or old Macintosh, told by letters.

Nothing in the bytes says which of the two single-byte encodings it is, so both are tried and the one is taken whose
letters fit: an accented small letter among small letters speaks for it, a symbol or a capital inside a word against it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

CANDIDATES = ("cp1252", "mac_roman")
MAX_SAMPLES = 20_000
_RARE = "\u0192\u00aa\u00ba\u00d0\u00f0\u00de\u00fe\u00b5"
"""Letters one encoding has where the other has a frequent one: florin, ordinals, eth, thorn, micro."""

_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding it was in, and whether that was guessed."""

    text: str = field(repr=False)
    encoding: str
    guessed: bool


def decode(data: bytes) -> Decoded | None:
    """The text of a file; None where it is no text in any encoding known here."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            try:
                return Decoded(data.decode(name), name, guessed=False)
            except UnicodeDecodeError:
                return None
    try:
        return Decoded(data.decode("utf-8-sig"), "utf-8", guessed=False)
    except UnicodeDecodeError:
        pass
    if b"\x00" in data:
        return None
    found = [(_score(text), name, text) for name in CANDIDATES if (text := _decoded(data, name)) is not None]
    if not found:
        return None
    _, name, text = max(found, key=lambda each: (each[0], -CANDIDATES.index(each[1])))  # Windows wins a draw
    return Decoded(text, name, guessed=True)


def _decoded(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except UnicodeDecodeError:  # cp1252 leaves five bytes undefined
        return None


def _score(text: str) -> int:
    """How well the letters beyond ASCII fit their neighbours."""
    return sum(_fits(before, letter, after) for before, letter, after in _odd_letters(text))


def _odd_letters(text: str) -> Iterator[tuple[str, str, str]]:
    count = 0
    for (before, letter), after in zip(pairwise(f" {text}"), f"{text} "[1:], strict=False):
        if ord(letter) > 127:  # noqa: PLR2004 - the end of ASCII
            yield before, letter, after
            count += 1
            if count >= MAX_SAMPLES:
                return


def _fits(before: str, letter: str, after: str) -> int:
    if letter in "\u2018\u2019":  # a typographer's apostrophe
        return 1
    if letter in _RARE or not letter.isalpha():
        return -2 if before.isalpha() and after.isalpha() else -1 if letter in _RARE else 0
    if letter.isupper():  # names begin with one; alone or after a small letter it is out of place
        return (
            2
            if after.islower() and not before.isalpha()
            else 1
            if before.isupper() or after.isupper()
            else -2
        )
    return 2 if before.isalpha() else 0
