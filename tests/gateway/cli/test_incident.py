"""`planhub incident`: cases, recipients, duties, drafts; nothing is sent."""

import stat

import pytest

from gateway.cli.exits import Exit
from mappings.record.category import Category
from mappings.record.regime import Regime
from tests.gateway.family import let_out


@pytest.fixture
def seen(hub, only, school, clinic):
    only.states(school, Category.SCHOOL, regimes=frozenset({Regime.HLTH}))
    only.permits(clinic, Category.SCHOOL)
    let_out(hub, only.request(clinic))
    return clinic


def test_it_lists_cases_and_duties_and_never_the_whole_id(planhub, only, seen):
    ran = planhub("incident", "--partner", seen, "--learned", "2026-11-22")
    assert ran.code == Exit.OK
    assert str(only.child)[-12:] in ran.out
    assert str(only.child) not in ran.out
    assert "2027-01-21" in ran.out
    told = planhub("incident", "--partner", seen, "--json").json
    assert (told["children"], told["exposures"][0]["topics"]) == (1, "school")


def test_drafts_go_into_a_new_folder_of_ones_own(planhub, seen, tmp_path):
    folder = tmp_path / "drafts"
    assert planhub("incident", "--partner", seen, "--drafts", folder).code == Exit.OK
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(one.read_text().startswith("DRAFT") for one in folder.iterdir())
    assert planhub("incident", "--partner", seen, "--drafts", folder).code == Exit.USAGE


def test_a_span_in_which_nothing_left_says_so(planhub, seen):
    ran = planhub("incident", "--partner", seen, "--from", "2001-01-01", "--until", "2001-12-31")
    assert (ran.code, ran.out) == (Exit.OK, "")
    assert "Nothing left by it." in ran.err


def test_something_must_say_where_to_look(planhub):
    assert planhub("incident").code == Exit.USAGE
    assert planhub("incident", "--partner", "nobody").code == Exit.USAGE
