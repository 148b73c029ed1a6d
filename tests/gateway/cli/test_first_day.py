"""A deployment on its first day: nothing is in it, and every command says what to do about that."""

from gateway.cli.exits import Exit


def test_an_empty_log_verifies_and_has_no_checkpoint(planhub):
    ran = planhub("ledger", "verify")
    assert (ran.code, ran.out) == (Exit.OK, "no entries yet\n")
    assert planhub("ledger", "checkpoint").code == Exit.CONFLICT
    assert planhub("ledger", "prove", 0).code == Exit.USAGE


def test_there_is_nothing_to_review_and_nothing_to_deliver(planhub):
    assert planhub("review", "list", "--json").json["reviews"] == []
    assert planhub("deliveries", "list", "--json").json["deliveries"] == []


def test_without_agencies_the_next_step_is_the_community_file(planhub, family):
    words = ("--child", family.child, "--agency", "clinic", "--topic", "school")
    ran = planhub("consent", "check", *words)
    assert (ran.code, "planhub apply -f community.yaml" in ran.err) == (Exit.USAGE, True)


def test_the_schema_is_laid_out_once_and_again_without_harm(planhub):
    first, again = planhub("migrate", "--json"), planhub("migrate", "--json")
    assert (first.code, first.json) == (Exit.OK, again.json)
    assert first.json["version"]


def test_the_checkup_says_that_nothing_can_flow_without_an_agreement(planhub):
    ran = planhub("doctor", "--json")
    assert ran.code == Exit.OK
    found = {one["part"]: one for one in ran.json["findings"]}
    assert found["database"]["verdict"] == "OK"
    assert found["keys"]["verdict"] == "OK"
    assert found["ledger"] == {"verdict": "OK", "part": "ledger", "text": "no entries yet", "step": ""}
    assert (found["agreements"]["verdict"], found["agreements"]["step"]) == (
        "WARN",
        "planhub apply -f community.yaml",
    )
    assert (found["broker"]["verdict"], "nothing is lost" in found["broker"]["text"]) == ("WARN", True)
