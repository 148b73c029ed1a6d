"""How the demo speaks: chapters and plain sentences on stdout, each decision with its reason."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.cli.output import show


class Broken(Exception):  # noqa: N818 - reads as what happened
    """The story did not go as it must; the text says where. The demo then ends with exit code 3."""


@dataclass(slots=True)
class Teller:
    """Numbers chapters and holds what the story promises against what happened."""

    chapter: int = 0
    started: float = field(default_factory=time.monotonic)

    def begin(self, title: str) -> None:
        """A new chapter."""
        self.chapter += 1
        show(f"\n{self.chapter}. {title}")

    def say(self, sentence: str) -> None:
        """One thing that happened."""
        show(f"   {sentence}")

    def why(self, reason: str) -> None:
        """The reason of a decision."""
        show(f"     because {reason}")

    def must(self, held: object, promise: str) -> None:
        """End the story where a promise was not kept."""
        if not held:
            raise Broken(f"chapter {self.chapter}: {promise}")

    @property
    def seconds(self) -> float:
        """Since the story began."""
        return time.monotonic() - self.started


def wait_for(condition: Callable[[], bool], promise: str, seconds: float = 60.0) -> None:
    """Wait for something other processes do; a bounded wait that names what did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Broken(f"waited {seconds:g} s in vain: {promise}")
        time.sleep(0.05)
