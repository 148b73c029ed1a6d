"""The canary search itself: whatever a program may make of a name, it is found; what is not there is not."""

import base64
import json
import os
import unicodedata
from urllib.parse import quote, quote_plus, urlencode

import pytest

from tests.journeys.search import search

pytestmark = pytest.mark.needs("grep")

NAME = "Minh Anh Nguyễn"
DOCUMENT = {"name": NAME, "n": 1}


def encoded(before: int) -> dict[str, bytes]:
    """A record holding the name as programs write it, after that many bytes of something else."""
    lead = "x" * before
    text = lead + json.dumps(DOCUMENT, ensure_ascii=False)
    escaped = lead + json.dumps(DOCUMENT)
    return {
        "utf-8": text.encode(),
        "decomposed": unicodedata.normalize("NFD", text).encode(),
        "capitals": text.upper().encode(),
        "small": text.lower().encode(),
        "utf-16": text.encode("utf-16"),
        "json": escaped.encode(),
        "base64": base64.b64encode(text.encode()),
        "base64 of json": base64.b64encode(escaped.encode()),
        "base64 for addresses": base64.urlsafe_b64encode(text.encode()),
        "base64 of capitals": base64.b64encode(text.upper().encode()),
        "hex": text.encode().hex().encode(),
        "hex in capitals": text.encode().hex().upper().encode(),
        "hex of json": escaped.encode().hex().encode(),
        "address": quote(text).encode(),
        "form": quote_plus(text).encode(),
        "query": urlencode({"q": text}).encode(),
        "without diacritics": text.replace("ễ", "e").encode(),
    }


@pytest.mark.parametrize("before", range(3))
def test_a_name_is_found_however_it_is_encoded_and_wherever_it_begins(tmp_path, before):
    folder = tmp_path / "places"
    folder.mkdir()
    for name, content in encoded(before).items():
        (folder / name).write_bytes(os.urandom(500) + content + os.urandom(500))

    found = search([NAME], [folder], tmp_path / "patterns")

    missed = {path.name for path in folder.iterdir()} - {one.path.rpartition("/")[2] for one in found}
    assert missed == set()
    assert {one.private for one in found} == {NAME}


def test_nothing_is_found_where_there_is_nothing(tmp_path):
    folder = tmp_path / "places"
    folder.mkdir()
    (folder / "ciphertext").write_bytes(os.urandom(5_000_000))
    (folder / "another name").write_text("Minh Tran, Anh Example")
    assert search([NAME, "Quillfeather", "(978) 555-0110"], [folder], tmp_path / "patterns") == []


def test_a_place_that_cannot_be_read_is_a_fault_of_the_search(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(AssertionError):
        search([NAME], [tmp_path / "file" / "below"], tmp_path / "patterns")
