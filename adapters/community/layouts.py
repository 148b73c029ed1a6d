"""The two sheets the hub exchanges with providers that have no system: columns, what they need, and other names for them.

Names are those of `mappings/community/paths.csv`, which the maps read; a test holds the two together. Other names were
seen in providers' own sheets (`reference/community.md` §2.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.community.worklist_out import COLUMNS


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one kind of sheet. `required`: must be in the header; `needed`: must be filled in each row.

    `aliases` maps another heading, folded by `fold`, to a column.
    """

    columns: tuple[str, ...]
    required: tuple[str, ...]
    needed: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def column(self, heading: str) -> str | None:
        """The column a heading means, whatever its case, spaces and punctuation; None for a foreign one."""
        folded = fold(heading)
        if folded in {fold(column) for column in self.columns}:
            return next(column for column in self.columns if fold(column) == folded)
        return self.aliases.get(folded)


def fold(heading: str) -> str:
    """A heading without case, spaces and punctuation: `Child's First Name` and `childs_first_name` are one."""
    return "".join(letter for letter in heading.casefold() if letter.isalnum())


ROW_ID = "row_id"

WORKLIST = Layout(
    columns=COLUMNS,
    required=("referral_id", "child_ref", "status"),
    aliases={
        "referral": "referral_id", "referralnumber": "referral_id", "child": "child_name", "student": "child_name",
        "dateofstatus": "status_date", "statuson": "status_date", "program": "service", "programme": "service",
        "numberofsessions": "sessions", "totalhours": "hours", "hoursorsessions": "hours", "internalnote": "note_internal",
        "notes": "note_internal", "comments": "note_internal",
    },
)  # fmt: skip

PLAN_SHEET = Layout(
    columns=(
        "row_id", "child_id", "first_name", "last_name", "birth_date", "row_kind", "topic", "private_topic", "statement",
        "status", "achievement", "metric", "baseline", "target", "start_date", "due_date", "date", "provider", "supporter",
        "opportunity", "intensity", "frequency", "minutes", "started", "mode", "place", "attendees", "family_present",
        "interpreter", "decisions", "speaker", "language", "agreement", "options_given", "chose", "signed_on",
        "person_name", "person_role", "organization", "note_internal",
    ),
    required=("first_name", "last_name", "birth_date", "row_kind"),
    aliases={
        "studentid": "child_id", "studentnumber": "child_id", "localid": "child_id", "childfirst": "first_name",
        "childfirstname": "first_name", "givenname": "first_name", "childlast": "last_name",
        "childlastname": "last_name", "surname": "last_name", "familyname": "last_name", "dob": "birth_date",
        "dateofbirth": "birth_date", "birthday": "birth_date", "kind": "row_kind", "type": "row_kind", "area": "topic",
        "domain": "topic", "text": "statement", "description": "statement", "goal": "statement", "organisation": "organization",
        "internalnote": "note_internal",
    },
)  # fmt: skip
