import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine import functions as fn
from mappings.engine.functions import FUNCTIONS


@pytest.mark.parametrize(
    ("name", "args", "value", "expected"),
    [
        ("date_iso", (), "2014-03-09", "2014-03-09"),
        ("date_iso", (), "2014-03-09T00:00:00Z", "2014-03-09"),
        ("date_us", (), "3/9/2014", "2014-03-09"),
        ("date_us", (), "03-09-2014", "2014-03-09"),
        ("date_us", (), "2014-03-09", "2014-03-09"),
        ("datetime_iso", (), "2026-10-02T09:30:00-04:00", "2026-10-02T09:30:00-04:00"),
        ("noon_utc", (), "2026-10-02", "2026-10-02T12:00:00Z"),
        ("next_day", (), "2026-12-31", "2027-01-01"),
        ("lower", (), "ÅNGSTRÖM", "ångström"),
        ("upper", (), "strasse", "STRASSE"),
        ("strip", (), "  a b ", "a b"),
        ("strip", (), "   ", None),
        ("squeeze", (), " Ann \t Rose ", "Ann Rose"),
        ("plain", (), "  Éducation  Spéciale ", "education speciale"),
        ("phone", (), "(555) 010-4477", "+15550104477"),
        ("phone", (), "1 555 010 4477", "+15550104477"),
        ("phone", (), "+46 70 123 45 67", "+46701234567"),
        ("phone", (), "010-4477", "0104477"),
        ("phone", (), " ", None),
        ("email", (), " Home@Mail.Example ", "Home@mail.example"),
        ("email", (), "", None),
        ("descriptor_code", (), "uri://ed-fi.org/SexDescriptor#Female", "Female"),
        ("descriptor_code", (), "Female", "Female"),
        ("descriptor_system", (), "uri://ed-fi.org/SexDescriptor#Female", "uri://ed-fi.org/SexDescriptor"),
        ("descriptor_system", (), "Female", None),
        ("true_false", (), "X", True),
        ("true_false", (), "No", False),
        ("true_false", (), False, False),
        ("text", (), 255901, "255901"),
        ("text", (), 2022.0, "2022"),
        ("text", (), 0.5, "0.5"),
        ("text", (), True, "true"),
        ("whole_number", (), " 90 ", 90),
        ("whole_number", (), 90.0, 90),
        ("decimal", (), "15.5", "15.5"),
        ("split", (), "05, 06,,", ["05", "06"]),
        ("split", (";",), "Noor; Henrik", ["Noor", "Henrik"]),
        ("split", (), " , ", None),
        ("first", (), ["a", "b"], "a"),
        ("only", (), ["a"], "a"),
        ("distinct", (), ["a", "b", "a"], ["a", "b"]),
        ("flatten", (), [["a"], ["b", "c"], "d"], ["a", "b", "c", "d"]),
        ("before", ("-",), "PK-5", "PK"),
        ("before", ("-",), "PK", "PK"),
        ("after", ("-",), "PK-5", "5"),
        ("after", ("-",), "PK", None),
    ],
)
def test_a_function_gives_what_its_description_says(name, args, value, expected):
    assert FUNCTIONS[name].call(value, *args) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date_iso", "2014-02-30"),
        ("date_iso", "2014-03-09x"),
        ("date_us", "13/32/2014"),
        ("date_us", "3/9/14"),  # a century is not guessed
        ("date_us", "9 March 2014"),
        ("datetime_iso", "yesterday"),
        ("next_day", "9999-12-31"),
        ("phone", "ask"),
        ("phone", "1234567890123456"),
        ("email", "nobody"),
        ("email", "De Leon@mail.example"),
        ("email", "a@b@c"),
        ("true_false", "perhaps"),
        ("true_false", None),
        ("text", ["a"]),
        ("whole_number", "ten"),
        ("whole_number", True),
        ("whole_number", -1),
        ("whole_number", 1.5),
        ("decimal", "1e9"),
        ("decimal", "-1"),
        ("only", ["a", "b"]),
    ],
)
def test_a_value_a_function_cannot_read_is_refused_and_not_guessed(name, value):
    with pytest.raises(ValueError):  # noqa: PT011 - the engine turns exactly this into an issue, whatever its text
        FUNCTIONS[name].call(value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(FUNCTIONS)), ANYTHING)
def test_no_function_fails_in_any_way_the_engine_does_not_catch(name, value):
    function = FUNCTIONS[name]
    args = (",",) if function.most_args else ()
    try:
        function.call(value, *args)
    except (ValueError, TypeError, AttributeError):
        assert function.code is not None


@given(st.sampled_from(sorted(FUNCTIONS)), st.text())
def test_functions_on_text_refuse_only_by_value_error(name, value):
    function = FUNCTIONS[name]
    if function.takes not in {"text", "any"}:
        return
    try:
        made = function.call(value, *((",",) if function.least_args else ()))
    except ValueError:
        return
    assert made is None or isinstance(made, str | int | bool | list)


@given(st.dates())
def test_a_date_written_the_american_way_and_the_iso_way_is_the_same_day(day):
    assert (
        fn.date_us(f"{day.month}/{day.day}/{day.year:04}") == fn.date_us(day.isoformat()) == day.isoformat()
    )


@given(st.text())
def test_cleaning_functions_change_nothing_the_second_time(value):
    for clean in (fn.squeeze, fn.strip, fn.plain):
        once = clean(value)
        assert once is None or clean(once) == once
