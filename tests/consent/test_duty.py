"""Duties as data: what is loaded is strict, dated, and says where it comes from."""

from datetime import date

import pytest

from consent.duty import Duties, load_duties
from gateway.exchange.duties import shipped_duties
from mappings.record.regime import Regime

KEEP = """
[[keeping]]
id = "{id}"
section = "a section"
evidence = "verbatim"
effective_from = 2020-01-01
effective_until = 2026-01-01
regime = "HLTH"
keep_years = {years}
"""


def loaded(*texts: str) -> Duties:
    found = load_duties({f"{n}.toml": text.encode() for n, text in enumerate(texts)})
    assert isinstance(found, Duties), found
    return found


@pytest.mark.parametrize(
    ("day", "held"),
    [
        (date(2019, 12, 31), False),
        (date(2020, 1, 1), True),
        (date(2025, 12, 31), True),
        (date(2026, 1, 1), False),
    ],
)
def test_a_row_holds_on_its_days_the_last_one_excluded(day, held):
    assert (Regime.HLTH in loaded(KEEP.format(id="a", years=6)).years("us-ma", day)) is held


def test_of_several_rows_the_longest_counts():
    both = loaded(KEEP.format(id="a", years=6), KEEP.format(id="b", years=9))
    assert both.years("us-ma", date(2021, 1, 1)) == {Regime.HLTH: 9}


@pytest.mark.parametrize(
    "text",
    [
        KEEP.format(id="a", years=6) + 'note = "x"',
        KEEP.format(id="a", years=0),
        KEEP.format(id="a", years=6) * 2,
        "not toml",
        "\udcff",
    ],
)
def test_a_file_that_is_not_exactly_right_loads_nothing(text):
    assert isinstance(load_duties({"a.toml": text.encode(errors="surrogateescape")}), tuple)


def test_the_shipped_rows_load_and_name_their_sections():
    duties = shipped_duties()
    assert all(row.section for row in (*duties.keeping, *duties.notifying))


@pytest.mark.parametrize(("people", "secretary", "media"), [(499, 0, 0), (500, 1, 0), (501, 1, 1)])
def test_how_many_people_says_who_else_is_told(people, secretary, media):
    told = [row.id for row in shipped_duties().notices("us-ma", date(2026, 11, 22), Regime.HLTH, people)]
    assert told.count("notify-hlth-secretary") == secretary
    assert told.count("notify-hlth-media") == media


def test_a_states_own_row_holds_there_alone():
    duties = shipped_duties()
    day = date(2026, 11, 22)
    assert "notify-ma-edu" in {row.id for row in duties.notices("us-ma", day, Regime.EDU)}
    assert "notify-ma-edu" not in {row.id for row in duties.notices("us-ca", day, Regime.EDU)}
