"""`planhub consent erase` and `hold`: two people, never under a hold, never before the day."""

from datetime import timedelta

import pytest

from gateway.cli.exits import Exit
from mappings.record.category import Category
from mappings.record.regime import Regime


@pytest.fixture
def old(hub, only, clinic, monkeypatch):
    """A child of whom nothing has happened for seven years; the commands' clock stands that far on."""
    only.states(clinic, Category.HEALTH, regimes=frozenset({Regime.HLTH}))
    real = hub.clock
    monkeypatch.setattr(
        "gateway.exchange.opening.Hub",
        lambda **given: type(hub)(**given, clock=lambda: real() + timedelta(days=366 * 7)),
    )
    return only


def test_one_asks_and_another_confirms(planhub, old):
    words = ("consent", "erase", "--child", old.child)
    assert planhub(*words, "--reason", "left the city", "--by", "Ines Vale").code == Exit.OK
    same = planhub(*words, "--confirm", "--by", "ines vale", "--yes")
    assert same.code == Exit.CONFLICT
    assert "who asked cannot confirm" in same.err
    done = planhub(*words, "--confirm", "--by", "Jon Reed", "--yes", "--json")
    assert done.code == Exit.OK
    assert isinstance(done.json["entry"], int)


def test_too_early_names_the_day(planhub, only):
    ran = planhub("consent", "erase", "--child", only.child, "--reason", "x")
    assert ran.code == Exit.CONFLICT
    assert "a law still keeps the record until 20" in ran.err


def test_who_asks_says_why(planhub, only):
    assert planhub("consent", "erase", "--child", only.child).code == Exit.USAGE
    assert planhub("consent", "hold", "--child", only.child).code == Exit.USAGE


def test_without_a_terminal_nothing_is_confirmed_unsaid(planhub, only):
    assert planhub("consent", "erase", "--child", only.child, "--confirm").code == Exit.USAGE


def test_a_hold_is_set_listed_and_lifted_and_stands_in_between(planhub, old):
    words = ("consent", "hold", "--child", old.child)
    hold = planhub(*words, "--reason", "a suit", "--by", "counsel", "--json").json["subject"]
    assert planhub(*words, "--list", "--json").json["holds"][0]["hold"] == hold
    assert hold in planhub(*words, "--list").out
    refused = planhub("consent", "erase", "--child", old.child, "--reason", "x")
    assert "a legal hold stands" in refused.err
    assert planhub(*words, "--lift", hold, "--reason", "settled").code == Exit.OK
    assert planhub(*words, "--lift", hold, "--reason", "settled").code == Exit.CONFLICT
    assert planhub(*words, "--list").out == ""
