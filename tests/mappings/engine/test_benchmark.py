"""The benchmark compares like with like: its hand-written maps make what the shipped maps make, faults included."""

import pytest

from benchmarks._map_engine.children import families
from benchmarks.map_engine import compared, engine, facts, hand_written


@pytest.mark.parametrize("seed", [2026, 7])
def test_the_hand_written_maps_make_the_same_facts_and_the_same_issues(seed):
    mapper = engine()
    documents = families(60, seed)
    for document in documents:
        assert compared(mapper(document)) == compared(hand_written(document))
    faulty = [document for document in documents if any(result.issues for result in mapper(document))]
    assert len(faulty) == 3
    assert all(facts(mapper(document)) for document in documents)
