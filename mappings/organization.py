"""The organisations of a community, as an outbound map may name them.

A clinic's name can tell what its value hides, so an organisation whose programme has a topic (health, counselling, a
shelter) is named to a recipient only where that topic is in the recipient's view (ARCHITECTURE §5).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mappings.record.category import EXTRA_PRIVATE, Category


@dataclass(frozen=True, slots=True)
class Organization:
    """One organisation: its key in the community file, its name, and its programme's own topic where it has one."""

    key: str
    name: str
    topic: Category | None = None


@dataclass(frozen=True, slots=True)
class Organizations:
    """All of a community, by key. `hub` is the name the hub goes by, for what may not be attributed more closely."""

    hub: str
    by_key: Mapping[str, Organization]

    def named(self, key: str, categories: frozenset[Category]) -> Organization | None:
        """The organisation where it may be named to someone who sees these categories; None where it is unknown or not."""
        found = self.by_key.get(key)
        return found if found and (found.topic is None or found.topic in categories) else None

    def party(self, key: str, categories: frozenset[Category]) -> Organization | None:
        """The organisation as one side of a referral, which says by itself who asks whom.

        Only an extra-private programme is kept back, where its topic is not among the categories.
        """
        found = self.by_key.get(key)
        hidden = found and found.topic in EXTRA_PRIVATE and found.topic not in categories
        return None if hidden else found

    def may_say(self, text: str, categories: frozenset[Category]) -> bool:
        """Whether a text that may be an organisation's key or name says nothing about a topic outside these categories."""
        said = text.strip().casefold()
        return not any(
            said in {one.key.casefold(), one.name.casefold()}
            for one in self.by_key.values()
            if one.topic is not None and one.topic not in categories
        )

    def name_of(self, key_or_name: str) -> str:
        """An organisation's name by its key; a text that is no key as it is."""
        known = self.by_key.get(key_or_name)
        return known.name if known else key_or_name
