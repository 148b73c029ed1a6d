from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.decision import decide
from consent.directive import State
from consent.vocabulary import Effect, Outcome, Reason
from mappings.record.category import Category
from tests.consent.oracle import INSTANTS, TOPICS, a_directive, a_world, permitted, randoms, worlds

MANY = settings(max_examples=4000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SOME = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(worlds)
def test_the_decision_equals_the_plain_reading_of_the_rules(world):
    asked, known, at = world
    found = decide(asked, known, at)
    assert found.categories == permitted(asked, known, at)
    assert (found.outcome is Outcome.DENY) == (not found.categories)


@SOME
@given(worlds, randoms)
def test_one_stop_more_never_widens(world, random):
    asked, known, at = world
    objection = a_directive(random, 99, Effect.DENY).model_copy(update={"supersedes": None})
    stopped = replace(known, directives=(*known.directives, objection))
    assert decide(asked, stopped, at).categories <= decide(asked, known, at).categories


@SOME
@given(worlds, st.data())
def test_revoking_a_permit_never_widens(world, data):
    asked, known, at = world
    permits = [d for d in known.directives if d.effect is Effect.PERMIT]
    if not permits:
        return
    ended = data.draw(st.sampled_from(permits))
    update = data.draw(
        st.sampled_from(
            [
                {"state": State.WITHDRAWN},
                {"revoked_at": at},
                {"state": State.WITHDRAWN, "revoked_at": INSTANTS[-1]},
                {"state": State.DISPUTED},
                {"state": State.EXPIRED},
            ]
        )
    )
    if ended.state in {State.UNKNOWN, State.REQUESTED, State.REQUEST_DEFERRED, State.REFUSED}:
        update = {"revoked_at": at}  # what was never given cannot be withdrawn
    revoked = ended.model_copy(update=update)
    others = tuple(d for d in known.directives if d.directive_id != ended.directive_id)
    after = replace(known, directives=(*others, revoked))
    assert decide(asked, after, at).categories <= decide(asked, known, at).categories


@SOME
@given(worlds, randoms)
def test_neither_order_nor_repetition_of_facts_matters(world, random):
    asked, known, at = world

    def shuffled(facts: tuple[Any, ...]) -> tuple[Any, ...]:
        twice = [*facts, *facts]
        random.shuffle(twice)
        return tuple(twice)

    other = replace(
        known,
        directives=shuffled(known.directives),
        links=shuffled(known.links),
        restraints=shuffled(known.restraints),
        agreements=shuffled(known.agreements),
    )
    assert decide(asked, other, at) == decide(asked, known, at)


@SOME
@given(worlds, st.integers(1, 90), st.integers(0, 10**9) | st.just(-1))
def test_until_it_expires_a_decision_is_what_would_be_decided_again(world, lead, offset):
    asked, known, edge = world
    at = edge - timedelta(seconds=lead)
    found = decide(asked, known, at)
    assert at < found.expires <= at + timedelta(seconds=60)
    moments = (found.expires - at) // timedelta(microseconds=1)
    later = at + timedelta(microseconds=offset % moments)  # -1 is the last of them
    assert decide(asked, known, later).categories == found.categories


@SOME
@given(worlds)
def test_each_topic_is_decided_by_itself(world):
    asked, known, at = world
    whole = decide(asked, known, at)
    for topic in asked.categories:
        alone = decide(replace(asked, categories=frozenset({topic})), known, at)
        assert alone.by_category[topic] == whole.by_category[topic]


@SOME
@given(worlds)
def test_every_permit_cites_directives_of_this_child_for_this_recipient_in_force_now(world):
    asked, known, at = world
    found = decide(asked, known, at)
    held = {d.directive_id: d for d in known.directives}
    for topic in found.categories:
        cited = found.by_category[topic].directive_ids
        assert cited
        for directive_id in cited:
            permit = held[directive_id]
            assert permit.effect is Effect.PERMIT
            assert (permit.recipient, permit.child_id) == (asked.recipient, asked.child_id)
            assert topic in permit.categories
            assert permit.valid_from <= at < permit.valid_until
            assert permit.revoked_at is None


def test_the_tiny_world_has_both_answers_for_every_topic_and_every_reason():
    """A generator that only ever denied would make every property above true for the wrong reason."""
    random = Random(20261122)
    opened: Counter[Category] = Counter()
    reasons: set[Reason] = set()
    for _ in range(2000):
        found = decide(*a_world(random))
        opened.update(found.categories)
        reasons.update(found.reasons.values())
    assert min(opened[topic] for topic in TOPICS) > 20
    assert max(opened[topic] for topic in TOPICS) < 1500
    others = {
        Reason.OWN_RECORD, Reason.FAMILY_READ, Reason.STEWARD_READ, Reason.TENANT_MISMATCH, Reason.PURPOSE_UNKNOWN,
        Reason.LABEL_UNKNOWN, Reason.EXCEPTION_NOT_ENABLED, Reason.EMERGENCY, Reason.OBLIGATION_UNKNOWN,
    }  # fmt: skip
    assert reasons == set(Reason) - others
