"""An ask: what may be asked, what answers it, and what the asker is shown of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from consent.ask import ANSWERED_WITHIN, LONGEST, Ask, AskFault, AskState, MadeBy, fault_of
from consent.vocabulary import Effect, Purpose
from mappings.record.category import Category

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ASK = Ask(
    ask_id=uuid4(),
    child_id=uuid4(),
    recipient="clinic",
    asker="clinic",
    topics=frozenset({Category.SCHOOL, Category.HEALTH}),
    purpose=Purpose.CARE_COORDINATION,
    until=AT + 90 * DAY,
    made_by=MadeBy.AGENCY,
    made_at=AT,
    lapses_at=AT + ANSWERED_WITHIN,
)


@pytest.mark.parametrize(
    "at", [AT, AT + ANSWERED_WITHIN - DAY, AT + ANSWERED_WITHIN, AT + 2 * ANSWERED_WITHIN]
)
def test_to_the_asker_a_no_is_silence_on_every_day(at):
    refused = replace(ASK, answer=Effect.DENY, answered_at=AT + DAY)
    assert refused.shown(at) is ASK.shown(at)
    assert refused.state(at) is AskState.ANSWERED


def test_an_ask_lapses_at_its_instant_and_a_yes_never_does():
    end = ASK.lapses_at
    assert ASK.state(end - timedelta(microseconds=1)) is AskState.WAITING
    assert ASK.state(end) is AskState.LAPSED
    assert replace(ASK, answer=Effect.PERMIT).shown(end + DAY) is AskState.ANSWERED


@pytest.mark.parametrize(
    ("topics", "purpose", "until", "fault"),
    [
        ({Category.SCHOOL}, Purpose.TREATMENT, AT + DAY, None),
        ({Category.COUNSELING}, Purpose.TREATMENT, AT + DAY, None),
        ({Category.IDENTITY}, Purpose.TREATMENT, AT + DAY, AskFault.NO_TOPIC),
        ({Category.COUNSELING, Category.SCHOOL}, Purpose.TREATMENT, AT + DAY, AskFault.NOT_ALONE),
        ({Category.SCHOOL}, Purpose.BREAK_GLASS, AT + DAY, AskFault.NOT_A_REQUEST),
        ({Category.SCHOOL}, Purpose.FAMILY_REQUEST, AT + DAY, AskFault.NOT_A_REQUEST),
        ({Category.SCHOOL}, Purpose.TREATMENT, AT, AskFault.OVER),
        ({Category.SCHOOL}, Purpose.TREATMENT, AT + LONGEST, None),
        ({Category.SCHOOL}, Purpose.TREATMENT, AT + LONGEST + DAY, AskFault.TOO_LONG),
    ],
)
def test_what_may_be_put_to_a_family(topics, purpose, until, fault):
    assert fault_of(frozenset(topics), purpose, until, AT) is fault
