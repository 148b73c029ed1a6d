"""What every record model shares: frozen, nothing unknown accepted, times with a zone, half-open periods."""

from datetime import date

from pydantic import BaseModel, ConfigDict, model_validator


class Record(BaseModel):
    """A frozen model that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=20_000)


class Period(Record):
    """A half-open span of days `[start, end)`; a missing end is open."""

    start: date | None = None
    end: date | None = None

    @model_validator(mode="after")
    def _start_not_after_end(self) -> "Period":
        if self.start and self.end and self.start > self.end:
            msg = "a period's start is not after its end"
            raise ValueError(msg)
        return self

    def holds(self, day: date) -> bool:
        """Whether `day` lies in the period."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


class Coding(Record):
    """A code in a named system, with the words its source used for it."""

    code: str
    system: str | None = None
    display: str | None = None
