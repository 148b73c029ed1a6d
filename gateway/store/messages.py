"""What is to be told to a family or the privacy officer: rows that the portal shows and the message sender carries. Ids only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from gateway.store.tables import message


class Audience(StrEnum):
    """Who is told."""

    FAMILY = "family"
    PRIVACY_OFFICER = "privacy-officer"


class MessageKind(StrEnum):
    """What is told."""

    ASK = "ask"
    ASK_REMINDER = "ask-reminder"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell, not before `due_at`. `subject_id` leads to what it is about."""

    message_id: UUID
    child_id: UUID
    audience: Audience
    kind: MessageKind
    subject_id: UUID
    due_at: datetime


def add_messages(connection: Connection, messages: Iterable[Message]) -> None:
    """Write them in the transaction of what they tell."""
    rows = [
        {
            "message_id": one.message_id,
            "child_id": one.child_id,
            "audience": one.audience.value,
            "kind": one.kind.value,
            "subject_id": one.subject_id,
            "due_at": one.due_at,
        }
        for one in messages
    ]
    if rows:
        connection.execute(insert(message), rows)


def due_messages(connection: Connection, at: datetime, most: int) -> list[Message]:
    """What is due and was not sent, oldest first."""
    statement = (
        select(message)
        .where(message.c.sent_at.is_(None), message.c.due_at <= at)
        .order_by(message.c.due_at, message.c.message_id)
        .limit(most)
    )
    return [
        Message(
            row.message_id,
            row.child_id,
            Audience(row.audience),
            MessageKind(row.kind),
            row.subject_id,
            row.due_at,
        )
        for row in connection.execute(statement)
    ]


def mark_sent(connection: Connection, message_id: UUID, at: datetime) -> bool:
    """Say that it went out; False where it had."""
    changed = connection.execute(
        update(message)
        .where(message.c.message_id == message_id, message.c.sent_at.is_(None))
        .values(sent_at=at)
    )
    return changed.rowcount == 1
