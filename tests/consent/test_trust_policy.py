"""The trust policy file as C2SP tlog-policy has it."""

from hashlib import sha256
from itertools import combinations

import pytest

from consent.cosignature import Cosigner
from consent.note import SignerKey
from consent.trust_policy import PolicyFault, TrustPolicy, parse_policy

LOG = SignerKey("log.example/city", sha256(b"log").digest())
NEXT = SignerKey("log.example/city", sha256(b"next").digest())
KEYS = [Cosigner(f"w{n}.example/witness", sha256(b"w%d" % n).digest()).verifier for n in range(6)]
WITNESSES = "".join(f"witness W{n} {key} https://w{n}.example/log/\n" for n, key in enumerate(KEYS))


def policy(text: str) -> TrustPolicy:
    found = parse_policy(text)
    assert isinstance(found, TrustPolicy), found
    return found


def test_a_quorum_of_k_of_n_is_met_by_exactly_the_sets_that_hold_k():
    found = policy(f"log {LOG.verifier}\n{WITNESSES}group G 2 W0 W1 W2 W3\nquorum G\n")
    for count in range(7):
        for some in combinations(KEYS, count):
            assert found.met_by(some) == (len(set(some) & set(KEYS[:4])) >= 2)


def test_groups_nest_as_in_the_specifications_example():
    found = policy(WITNESSES + "group X 2 W0 W1 W2\ngroup Y any W3 W4 W5\ngroup both all X Y\nquorum both\n")
    assert found.met_by([KEYS[0], KEYS[2], KEYS[5]])
    assert not found.met_by([KEYS[0], KEYS[1], KEYS[2]])
    assert not found.met_by([KEYS[0], KEYS[3], KEYS[4], KEYS[5]])


def test_no_quorum_is_met_by_nobody_and_one_witness_by_itself():
    assert policy("quorum none\n").met_by([])
    assert not policy(WITNESSES + "quorum W1\n").met_by([KEYS[0]])
    assert policy(WITNESSES + "quorum W1\n").met_by([KEYS[1]])


def test_a_log_may_have_two_keys_while_one_replaces_the_other():
    found = policy(f"log {LOG.verifier}\nlog {NEXT.verifier} https://log.example/log\nquorum none")
    assert found.log_keys("log.example/city") == (LOG.verifier, NEXT.verifier)
    assert found.log_keys("log.example/other") == ()


def test_spaces_tabs_comments_and_empty_lines_mean_nothing():
    found = policy(f"# agencies\n\n \t witness \t A {KEYS[0]} \n  # none yet\nquorum\tA")
    assert found.cosigners == (KEYS[0],)
    assert found.witnesses["A"].url is None


def test_addresses_are_kept_without_the_slash_at_their_end():
    assert policy(WITNESSES + "quorum W0").witnesses["W0"].url == "https://w0.example/log"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        ("log x\nquorum none\n", 1),
        (f"log {KEYS[0]}\nquorum none\n", 1),
        (f"witness A {LOG.verifier}\nquorum none\n", 1),
        (f"log {LOG.verifier}\nlog {LOG.verifier}\nquorum none\n", 2),
        (f"witness A {KEYS[0]}\nwitness B {KEYS[0]}\nquorum none\n", 2),
        (f"witness A {KEYS[0]}\nwitness A {KEYS[1]}\nquorum none\n", 2),
        (f"witness none {KEYS[0]}\nquorum none\n", 1),
        (f"witness A {KEYS[0]} ftp://a.example\nquorum none\n", 1),
        (f"witness A {KEYS[0]}\ngroup G 2 A\nquorum G\n", 2),
        (f"witness A {KEYS[0]}\ngroup G 0 A\nquorum G\n", 2),
        (f"witness A {KEYS[0]}\ngroup G 01 A\nquorum G\n", 2),
        (f"witness A {KEYS[0]}\ngroup G any A A\nquorum G\n", 2),
        (f"witness A {KEYS[0]}\ngroup G any A\ngroup H any A\nquorum G\n", 3),
        (f"witness A {KEYS[0]}\ngroup G any none\nquorum G\n", 2),
        ("group G any\nquorum G\n", 1),
        ("quorum A\n", 1),
        ("quorum none\nquorum none\n", 2),
        ("trust everyone\n", 1),
        ("quorum none\r\n", 0),
    ],
)
def test_a_file_that_is_not_a_policy_is_refused_with_the_line(text, line):
    found = parse_policy(text)
    assert isinstance(found, PolicyFault)
    assert found.line == line
    assert found.text
