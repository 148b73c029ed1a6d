"""Callers of one client who come at the same moment share a transaction, and nothing else (ARCHITECTURE §6)."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.exchange import together
from gateway.exchange.disclosure import Refused, Released, ReleaseRequest, Rendered
from gateway.exchange.together import MOST, release_together
from gateway.store.people import SECRET, reference
from mappings.record.category import Category
from mappings.view import RecordView
from tests.gateway.family import Family, add_agency, render

DEADLINE_S = 20


@dataclass(eq=False)
class Gate:
    """A rendering that waits, the first time, until it is let through; and breaks for one child."""

    entered: threading.Event = field(default_factory=threading.Event)
    through: threading.Event = field(default_factory=threading.Event)
    breaks_for: str = ""

    def __call__(self, view: RecordView) -> Rendered:
        self.entered.set()
        assert self.through.wait(DEADLINE_S)
        if view.child_ref == self.breaks_for:
            raise ValueError("this record cannot be rendered")
        return render(view)


@pytest.fixture
def school(hub):
    return add_agency(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


@pytest.fixture
def families(hub, school, clinic):
    found = [Family(hub) for _ in range(4)]
    for n, one in enumerate(found):
        one.states(school, Category.SCHOOL, words=f"words of child {n}")
        one.permits(clinic, Category.SCHOOL)
    return found


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as threads:
        yield threads


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def waiting(hub: Any) -> int:
    return sum(len(line) for line in together._desks[hub.db].lines.values())


def come_together(
    hub: Any, pool: ThreadPoolExecutor, gate: Gate, first: ReleaseRequest, *others: ReleaseRequest
) -> list[Future[Released | Refused]]:
    """The first is under way while all the others arrive."""
    began = [pool.submit(release_together, hub, first)]
    assert gate.entered.wait(DEADLINE_S)
    began += [pool.submit(release_together, hub, one) for one in others]
    until(lambda: waiting(hub) == len(others))
    gate.through.set()
    return began


def test_who_arrives_while_one_is_under_way_is_released_in_one_transaction(hub, pool, clinic, families):
    gate = Gate()
    requests = [one.request(clinic, Category.SCHOOL, render=gate) for one in families]
    answers = [one.result(DEADLINE_S) for one in come_together(hub, pool, gate, *requests)]
    assert all(isinstance(answer, Released) for answer in answers)
    assert len({answer.release_id for answer in answers}) == 2
    assert len({answer.release_id for answer in answers[1:]}) == 1


def test_each_child_of_a_group_has_its_own_bytes_decision_and_entry(hub, pool, clinic, families):
    gate = Gate()
    requests = [one.request(clinic, Category.SCHOOL, render=gate) for one in families]
    answers = [one.result(DEADLINE_S) for one in come_together(hub, pool, gate, *requests)]
    for n, (family, answer) in enumerate(zip(families, answers, strict=True)):
        assert f"words of child {n}".encode() in answer.sealed.unseal()
        assert answer.decision.child_id == family.child
    assert len({answer.sealed.entry for answer in answers}) == len(families)
    assert len({answer.decision.decision_id for answer in answers}) == len(families)


def test_who_may_not_see_one_child_of_a_group_is_refused_that_one(hub, pool, clinic, school, families):
    unopened = Family(hub)
    unopened.states(school, Category.SCHOOL)
    gate = Gate()
    requests = [one.request(clinic, Category.SCHOOL, render=gate) for one in [*families, unopened]]
    answers = [one.result(DEADLINE_S) for one in come_together(hub, pool, gate, *requests)]
    assert [type(answer) for answer in answers] == [Released] * 4 + [Refused]


def test_two_who_ask_about_the_same_child_are_both_answered(hub, pool, clinic, families):
    gate = Gate()
    request = families[0].request(clinic, Category.SCHOOL, render=gate)
    answers = [one.result(DEADLINE_S) for one in come_together(hub, pool, gate, request, request, request)]
    assert len({answer.release_id for answer in answers}) == 3


def test_another_question_of_the_same_client_stays_by_itself(hub, pool, clinic, families):
    gate = Gate()
    first, second, third, fourth = (one.request(clinic, Category.SCHOOL, render=gate) for one in families)
    other = replace(third, description="another question")
    answers = [one.result(DEADLINE_S) for one in come_together(hub, pool, gate, first, second, other, fourth)]
    assert answers[1].release_id == answers[3].release_id
    assert answers[2].release_id != answers[1].release_id
    assert answers[2].entry.description == "another question"


def test_another_agency_does_not_wait(hub, pool, clinic, families):
    neighbour = add_agency(hub)
    families[1].permits(neighbour, Category.SCHOOL)
    gate = Gate()
    slow = pool.submit(release_together, hub, families[0].request(clinic, Category.SCHOOL, render=gate))
    assert gate.entered.wait(DEADLINE_S)
    assert isinstance(release_together(hub, families[1].request(neighbour, Category.SCHOOL)), Released)
    assert not slow.done()
    gate.through.set()
    assert isinstance(slow.result(DEADLINE_S), Released)


def test_what_one_record_does_to_a_group_no_other_caller_meets(hub, pool, clinic, families):
    secret = hub.keys.deployment_secret(SECRET)
    gate = Gate(breaks_for=reference(secret, clinic, families[2].child))
    requests = [one.request(clinic, Category.SCHOOL, render=gate) for one in families]
    began = come_together(hub, pool, gate, *requests)
    with pytest.raises(ValueError, match="cannot be rendered"):
        began[2].result(DEADLINE_S)
    assert all(isinstance(began[n].result(DEADLINE_S), Released) for n in (0, 1, 3))


def test_a_group_has_a_bound_and_the_rest_is_the_next(hub, clinic, families):
    desk, requests = together._Desk(), []
    for n in range(MOST + 5):
        requests.append(together._Ticket(Family(hub).request(clinic, Category.SCHOOL, render=render)))
        if n == 0:
            desk.stand_in_line(requests[0])
        else:
            desk.lines[requests[0].key].append(requests[n])
    with desk.group(requests[0]) as members:
        assert members == requests[:MOST]
    assert requests[MOST].leads
    assert [one.called.is_set() for one in requests[1:]] == [True] * MOST + [False] * 4


def test_nobody_stands_in_line_when_all_are_answered(hub, pool, clinic, families):
    gate = Gate()
    requests = [one.request(clinic, Category.SCHOOL, render=gate) for one in families]
    for one in come_together(hub, pool, gate, *requests):
        one.result(DEADLINE_S)
    until(lambda: not together._desks[hub.db].lines)
