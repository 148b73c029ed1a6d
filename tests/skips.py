"""Counts what each marker passed and skipped, and refuses a skip where what the test needs is present.

A pytest plugin (see `addopts`). `peer` tests name what they drive with `needs("node")`, `needs("java")`; a skipped test whose
needs are all met fails the run, so a broken guard cannot hide a test.
"""

import os
import shutil
from collections import Counter

import pytest

from tests.paths import CORPUS

MARKERS = ("corpus", "peer", "browser", "topology")
TOPOLOGY = ("PLANHUB_TEST_DATABASE_URL", "PLANHUB_TEST_REDIS_URL", "PLANHUB_TEST_RABBITMQ_URL")
TOOLS = {"node": "node", "npm": "npm", "java": "java", "chromium": "chromium"}

_counts: dict[str, Counter[str]] = {name: Counter() for name in MARKERS}


def present(need: str) -> bool:
    """Whether this machine has what a test needs: a tool on the path, the corpus, or a service named by variable."""
    if need == "corpus":
        return CORPUS.is_dir()
    if need in TOPOLOGY:
        return bool(os.environ.get(need))
    return shutil.which(TOOLS.get(need, need)) is not None


def _needs(item: pytest.Item) -> list[str]:
    named = [str(need) for mark in item.iter_markers("needs") for need in mark.args]
    if item.get_closest_marker("corpus"):
        named.append("corpus")
    if item.get_closest_marker("browser"):
        named.append("chromium")
    return named


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*what): tools, `corpus` or topology variables; with all present a skip is a failure"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report: pytest.TestReport = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        needs = _needs(item)
        if needs and all(present(need) for need in needs):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            report.outcome = "failed"
            report.longrepr = f"skipped although {', '.join(needs)} is present: {reason}"
    report.user_properties += [("marker", name) for name in MARKERS if item.get_closest_marker(name)]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
        for key, name in report.user_properties:
            if key == "marker":
                _counts[str(name)][report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if hasattr(terminalreporter.config, "workerinput"):
        return
    for name, count in _counts.items():
        terminalreporter.write_line(
            f"marker {name}: {count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"
        )
