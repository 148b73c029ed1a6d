"""The duties of this release as loaded: consent/duties/*.toml."""

from functools import cache
from importlib import resources

from consent.duty import Duties, load_duties
from gateway.exchange.opening import RulesError


@cache
def shipped_duties() -> Duties:
    """The rows of this release; raises RulesError naming each fault."""
    folder = resources.files("consent") / "duties"
    found = load_duties(
        {one.name: one.read_bytes() for one in folder.iterdir() if one.name.endswith(".toml")}
    )
    if isinstance(found, Duties):
        return found
    raise RulesError("; ".join(f"{issue.path}: {issue.text}" for issue in found))
