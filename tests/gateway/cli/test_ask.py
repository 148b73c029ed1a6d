"""`planhub consent ask` and `asks`: staff put something to a family, and see what it answered."""

from datetime import timedelta
from uuid import UUID

from gateway.cli.exits import Exit
from gateway.exchange import ask
from tests.gateway.family import now

UNTIL = f"{now() + timedelta(days=90):%Y-%m-%d}"


def _ask(planhub, family, agency, *more):
    words = ("consent", "ask", "--child", family.child, "--agency", agency, "--until", UNTIL, "--json")
    return planhub(*words, *(more or ("--topic", "health")))


def test_staff_ask_and_see_the_answer_an_agency_does_not(hub, planhub, family, clinic):
    ran = _ask(planhub, family, clinic, "--topic", "health", "--interpreter", "es", "--by", "Ines Vale")
    assert ran.code == Exit.OK
    assert ask.refuse(hub, UUID(ran.json["ask"]), by_link=family.link)
    (row,) = planhub("consent", "asks", "--child", family.child, "--json").json["asks"]
    assert (row["state"], row["answer"], row["made_by"]) == ("answered", "deny", "staff")
    assert row["interpreter"] == "es"
    assert "deny" in planhub("consent", "asks", "--child", family.child).out


def test_a_second_ask_is_a_conflict_and_says_where_to_look(planhub, family, clinic):
    assert _ask(planhub, family, clinic).code == Exit.OK
    again = _ask(planhub, family, clinic)
    assert again.code == Exit.CONFLICT
    assert "planhub consent asks" in again.err


def test_what_cannot_be_asked_is_refused_with_what_to_do(planhub, family, clinic):
    ran = _ask(planhub, family, clinic, "--topic", "counseling", "--topic", "school")
    assert ran.code == Exit.USAGE
    assert "alone" in ran.err
