"""Where a delivery stands; apart from the tables, so that the command line can name the states without a database."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands. Every one ends delivered, withheld or dead; a held one waits for a person."""

    PENDING = "pending"
    DELIVERED = "delivered"
    WITHHELD = "withheld"
    DEAD = "dead"
    HELD = "held"
