"""Small tables that say what a clinical code, or a word, means for us: how sensitive it is, and which social need it names.

`sensitive.csv` (`system,code,match,label,source`) gives the security label a code forces; `sdoh.csv`
(`system,code,match,category,source`) the Gravity SDOH category. `match` is `exact`, or `prefix` for a branch of ICD-10-CM,
whose hierarchy is in its codes; the longest prefix wins. No table is complete, nor can be without terminologies that are not
ours to ship, and many codes are local: so the words a sender shows beside a code, or writes instead of one, are looked at too
(`sensitive-words.csv`: `words,match,label,note`; `match` is `begins` or `whole`). They err towards private. A label the sender
gave counts as well.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mappings.record.sensitivity import Label

SDOH = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
_ALIASES = {"http://hl7.org/fhir/sid/icd-10": "http://hl7.org/fhir/sid/icd-10-cm"}


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Codes of several systems, each with one meaning."""

    exact: dict[tuple[str, str], str]
    prefix: dict[tuple[str, str], str]

    def meaning(self, system: str | None, code: str) -> str | None:
        """What the code means: its own row, else the row of its longest prefix; None where neither stands."""
        system = _ALIASES.get(system or "", system or "")
        if found := self.exact.get((system, code)):
            return found
        for length in range(len(code), 0, -1):
            if found := self.prefix.get((system, code[:length])):
                return found
        return None


def parse_code_table(text: str, column: str) -> CodeTable:
    """A table whose meaning stands in `column`; ValueError where a row is wrong or stands twice."""
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(rows.fieldnames or ()) != ("system", "code", "match", column, "source"):
        msg = f"the header is not system,code,match,{column},source"
        raise ValueError(msg)
    table = CodeTable({}, {})
    for row in rows:
        into = {"exact": table.exact, "prefix": table.prefix}.get(row["match"])
        key = (row["system"], row["code"])
        if into is None or key in into or not all((*key, row[column], row["source"])):
            msg = (
                f"line {rows.line_num}: match is exact or prefix, nothing is empty, and no code stands twice"
            )
            raise ValueError(msg)
        into[key] = row[column]
    return table


def _shipped(name: str, column: str) -> CodeTable:
    return parse_code_table(files("mappings.fhir").joinpath(name).read_text(encoding="utf-8"), column)


@cache
def sensitive_codes() -> CodeTable:
    """The shipped table of sensitive codes."""
    return _shipped("sensitive.csv", "label")


@cache
def sdoh_codes() -> CodeTable:
    """The shipped table of social needs."""
    return _shipped("sdoh.csv", "category")


def labels_of_codes(codes: Iterable[tuple[str | None, str]]) -> frozenset[Label]:
    """The labels these codes force."""
    found = (sensitive_codes().meaning(system, code) for system, code in codes)
    return frozenset(Label(label) for label in found if label)


@dataclass(frozen=True, slots=True)
class WordTable:
    """Words, each with its label, as one pattern: at the beginning of a word of the text, or as a whole one; in any case."""

    pattern: re.Pattern[str]
    labels: dict[str, Label]

    def labels_in(self, text: str) -> frozenset[Label]:
        """The labels of every listed word in a text."""
        return frozenset(self.labels[found.group().casefold()] for found in self.pattern.finditer(text))


_LETTER = r"[^\W_]"


def parse_word_table(text: str) -> WordTable:
    """A table of words; ValueError where a row is wrong or stands twice."""
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(rows.fieldnames or ()) != ("words", "match", "label", "note"):
        msg = "the header is not words,match,label,note"
        raise ValueError(msg)
    labels: dict[str, Label] = {}
    ends: dict[str, str] = {}
    for row in rows:
        word = row["words"].casefold()
        if not word.strip() or word in labels or row["match"] not in {"begins", "whole"}:
            msg = f"line {rows.line_num}: match is begins or whole, and no word is empty or stands twice"
            raise ValueError(msg)
        labels[word] = Label(row["label"])
        ends[word] = f"(?!{_LETTER})" if row["match"] == "whole" else ""
    longest_first = sorted(labels, key=len, reverse=True)
    words = "|".join(re.escape(word) + ends[word] for word in longest_first)
    return WordTable(re.compile(f"(?<!{_LETTER})(?:{words})", re.IGNORECASE), labels)


@cache
def sensitive_words() -> WordTable:
    """The shipped table of words."""
    return parse_word_table(
        files("mappings.fhir").joinpath("sensitive-words.csv").read_text(encoding="utf-8")
    )


def labels_of_words(texts: Iterable[str]) -> frozenset[Label]:
    """The labels the words of these texts force."""
    table = sensitive_words()
    return frozenset(label for text in texts for label in table.labels_in(text))


def sdoh_category(codes: Iterable[tuple[str | None, str]]) -> str | None:
    """The Gravity SDOH category the codes name: a category code itself, else the first code that has one."""
    codes = tuple(codes)
    own = next((code for system, code in codes if system == SDOH), None)
    found = (sdoh_codes().meaning(system, code) for system, code in codes)
    return own or next((category for category in found if category), None)
