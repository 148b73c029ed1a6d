"""docs/maps.md says what is true: its example compiles, its lists are the engine's."""

import re

from mappings.engine.compiled import compile_map
from mappings.engine.document import RULE_MEMBERS
from mappings.engine.functions import FUNCTIONS
from mappings.engine.reading import BASES, MODIFIERS, TESTS
from mappings.engine.record_target import record_targets
from mappings.engine.shipped import path_table, shipped_files
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "maps.md").read_text("utf-8")


def test_the_example_on_the_page_compiles_against_the_ed_fi_tables():
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    crosswalks = next(one.crosswalks for one in shipped_files() if one.folder == "edfi")
    compilation = compile_map(
        example, paths=path_table("edfi"), crosswalks=crosswalks, targets={"record": record_targets()}
    )
    assert compilation.errors == ()


def test_the_page_names_every_function_verb_and_part():
    for word in (*FUNCTIONS, *BASES, *MODIFIERS, *TESTS, *RULE_MEMBERS):
        assert re.search(rf"[`{{ ,]{word}[`:,}} (]", PAGE), word
