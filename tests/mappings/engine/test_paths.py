from mappings.engine.paths import PathType, Special, parse_paths
from mappings.record.category import Category
from tests.mappings.engine.trying import PATHS, compiled, faults, table

HEAD = "path,type,list,category,note\n"


def test_a_table_knows_type_array_category_and_note_of_each_path():
    root = table().resources["pupils"]
    phones = root.children["phones"]
    assert phones.is_list
    assert phones.is_group
    assert phones.children["number"].category is Category.IDENTITY
    assert root.children["visa"].category is Special.NEVER
    assert root.children["unclassified"].note == "nobody has looked yet"
    assert root.children["born"].type is PathType.DATE


def test_groups_named_only_by_their_members_are_made():
    parsed, errors = parse_paths(HEAD + "r.a.b,text,,school,\nr.a,object,yes,,\n", "p.csv")
    assert not errors
    assert parsed.resources["r"].children["a"].is_list


def test_every_bad_row_is_named_with_its_line():
    rows = "r.a,text,,school,\nr.a,text,,school,\nr.b,txt,,school,\nr.c,text,maybe,school,\nr.d,text,,scool,\nr,text,,school,\nr.e,text\n"
    parsed, errors = parse_paths(HEAD + rows, "p.csv")
    assert [error.line for error in errors] == [3, 4, 5, 6, 7, 8]
    assert list(parsed.resources["r"].children) == ["a"]
    assert "school" in errors[3].next_step


def test_another_header_is_refused_at_once():
    _, errors = parse_paths("a,b\n", "p.csv")
    assert errors[0].what == "the header is not the one of a path table"


def test_what_a_connection_adds_is_known_but_private_until_classified():
    wider = table().with_extensions(
        "pupils", [("_ext.harbor.busRoute", "text", False), ("_ext.harbor.stops", "unknown", True)]
    )
    rule = "- kind: thing\n  category: safety\n  value: {a: _ext.harbor.busRoute}\n"
    [fault] = faults(rule, paths=wider)
    assert "no category yet, so it is private" in fault
    assert "unknown path" in faults(rule)[0]
    assert wider.text == PATHS


def test_an_extension_never_changes_a_path_the_table_has():
    wider = table().with_extensions("pupils", [("name", "object", True)])
    assert wider.resources["pupils"].children["name"].type is PathType.TEXT
    assert compiled("- kind: thing\n  category: identity\n  value: {a: name}\n", paths=wider).reads == {
        "id",
        "name",
    }
