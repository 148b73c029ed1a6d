import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.community.encoding import decode

NAMES = [
    "José",
    "Núñez",
    "Zoë",
    "Chloé",
    "Renée O\u2019Hara",
    "Müller",
    "Šárka",
    "Françoise",
    "Ángel",
    "Élise",
    "Peña-Ruíz",
]


def survives(name: str, encoding: str) -> bool:
    try:
        name.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


WRITABLE = [(name, each) for name in NAMES for each in ("cp1252", "mac_roman") if survives(name, each)]


@pytest.mark.parametrize(("name", "encoding"), WRITABLE)
def test_names_are_read_in_the_encoding_they_were_written_in(name, encoding):
    text = f"first_name,note\r\n{name},plain \u2013 text\r\n"
    found = decode(text.encode(encoding))
    assert found is not None
    assert (found.text, found.encoding, found.guessed) == (text, encoding, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_what_they_are_are_not_guessed(encoding):
    found = decode("Zoë,Núñez\r\n".encode(encoding))
    assert found is not None
    assert found.text == "Zoë,Núñez\r\n"
    assert not found.guessed


def test_plain_text_counts_as_utf_8():
    found = decode(b"Ama,Boateng")
    assert found is not None
    assert (found.encoding, found.guessed) == ("utf-8", False)


@pytest.mark.parametrize("data", [b"\x00\x01\x02\xff", b"\xff\xfe\x00", bytes(range(256))])
def test_what_is_no_text_is_none(data):
    assert decode(data) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_not_and_never_raise(data):
    found = decode(data)
    assert found is None or isinstance(found.text, str)


@given(st.text(max_size=200).filter(lambda text: not text.startswith("\ufeff") and "\x00" not in text))
def test_utf_8_is_always_recognised(text):
    found = decode(text.encode())
    assert found is not None
    assert found.text == text
