"""`/v1/asks`: asking a family, and the one answer that silence and a no have in common."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event

from gateway.exchange import ask
from mappings.record.category import Category
from tests.gateway.family import SOON, Family, add_agency, now


@pytest.fixture
def clinic(hub, system):
    return system(add_agency(hub, programme=Category.HEALTH))


def _body(clinic, family, *topics, **more):
    return {
        "child": clinic.knows(family.child),
        "topics": list(topics or ("health",)),
        "purpose": "COC",
        "until": (now() + SOON).isoformat(),
    } | more


def _ask(clinic, family, *topics, key=None, **more):
    return clinic.call("POST", "/v1/asks", json=_body(clinic, family, *topics, **more), key=key)


def test_a_family_is_asked_once_however_often_the_request_is_repeated(clinic, family):
    body = _body(clinic, family, interpreter="es")
    first, again = (clinic.call("POST", "/v1/asks", json=body, key="k" * 12) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    read = clinic.call("GET", f"/v1/asks/{first.json()['ask']}")
    assert read.json() == first.json()
    assert set(read.json()) == {"ask", "state", "topics", "purpose", "until", "lapses"}


def test_a_no_and_silence_are_the_same_body_but_for_the_asks_own_facts(hub, clinic):
    silent, refusing = Family(hub), Family(hub)
    until = (now() + SOON).isoformat()
    made = [_ask(clinic, one, until=until).json() for one in (silent, refusing)]
    assert ask.refuse(hub, UUID(made[1]["ask"]), by_link=refusing.link)
    read = [clinic.call("GET", f"/v1/asks/{one['ask']}") for one in made]
    assert {r.status_code for r in read} == {200}
    bodies = [{k: v for k, v in r.json().items() if k not in {"ask", "lapses"}} for r in read]
    assert bodies[0] == bodies[1]
    assert bodies[0]["state"] == "waiting"
    assert len(read[0].content) == len(read[1].content)
    again = [_ask(clinic, one) for one in (silent, refusing)]
    assert {r.status_code for r in again} == {409}
    first, second = ({k: v for k, v in r.json().items() if k != "instance"} for r in again)
    assert first == second


def test_a_no_and_silence_run_the_same_statements(hub, clinic):
    silent, refusing = Family(hub), Family(hub)
    made = [UUID(_ask(clinic, one).json()["ask"]) for one in (silent, refusing)]
    assert ask.refuse(hub, made[1], by_link=refusing.link)
    seen: list[list[str]] = []
    for one in made:
        ran: list[str] = []

        def note(_conn, _cursor, statement, _parameters, _context, _many, ran=ran):
            ran.append(statement)

        engine = hub.db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            ask.shown_to(hub, clinic.org, one)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        seen.append(ran)
    assert seen[0] == seen[1] != []


def test_somebody_elses_ask_does_not_exist(hub, system, clinic, family):
    other = system(add_agency(hub))
    made = _ask(clinic, family).json()["ask"]
    assert other.call("GET", f"/v1/asks/{made}").status_code == 404


@pytest.mark.parametrize(
    ("topics", "more", "status"),
    [
        (("counseling", "school"), {}, 422),
        (("identity",), {}, 422),
        (("school",), {"purpose": "BTG"}, 403),
        (("school",), {"purpose": "TREAT"}, 403),
        (("school",), {"until": (now() + timedelta(days=400)).isoformat()}, 422),
        (("school",), {"until": (now() - timedelta(days=1)).isoformat()}, 422),
        (("school",), {"interpreter": "she speaks Spanish"}, 422),
        (("school",), {"child": "a" * 26}, 404),
    ],
)
def test_what_cannot_be_asked_is_said_and_nobody_is_bothered(hub, clinic, family, topics, more, status):
    answer = _ask(clinic, family, *topics, **more)
    assert answer.status_code == status
    assert not ask.asked_of(hub, family.child)


def test_what_lies_beyond_the_agreement_is_refused_before_the_family_hears_of_it(hub, system, family):
    bound = system(add_agency(hub, categories=[Category.SCHOOL]))
    assert _ask(bound, family, "health").status_code == 403
    assert not ask.asked_of(hub, family.child)
