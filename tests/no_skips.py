"""A pytest plugin: where ACTIVESYNTH_TEST_NO_SKIPS is set, a session with a skipped test fails.

A test that is skipped proves nothing, and nobody reads the reasons of a green run. Only skips
that a GPU decides about are let through, for most machines have none.
"""

from __future__ import annotations

import os
import re

import pytest

VARIABLE = "ACTIVESYNTH_TEST_NO_SKIPS"
ALLOWED = re.compile(r"\b(CUDA|GPU)\b")


class Skips:
    """Collects the skips of one session that must not be."""

    def __init__(self) -> None:
        """Start with none."""
        self.found: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at one phase of a test; an expected failure is no skip."""
        if not hasattr(report, "wasxfail"):
            self._add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at a module, which may skip itself as a whole."""
        self._add(report)

    def _add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if report.skipped and not ALLOWED.search(reason):
            self.found.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn success into failure."""
        if self.found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        if self.found:
            terminalreporter.section(f"skipped, though {VARIABLE} is set", red=True)
            for line in self.found:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Watch the session where the variable asks for it."""
    if os.environ.get(VARIABLE):
        config.pluginmanager.register(Skips(), "activesynth-no-skips")
