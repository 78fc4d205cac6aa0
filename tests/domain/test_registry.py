"""Parts that installed packages offer by entry points."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from activesynth.domain.registry import Catalog, Row
from activesynth.errors import ConfigurationError
from activesynth.targeting.registry import STRATEGIES
from outside_packages import lay_out

WHOLE = """
from pydantic import BaseModel


class First:
    class Parameters(BaseModel):
        share: float = 0.5

    def __init__(self, parameters):
        self.share = parameters.share

    def select(self, context, count, *, seed):
        return list(range(count))
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose distributions count as installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def make_catalog() -> Catalog:
    return Catalog({"strategy": STRATEGIES})


def test_a_part_of_another_package_is_listed_checked_and_built(site: Path) -> None:
    lay_out(site, "whole_package", WHOLE, strategies="first = whole_package:First")

    parts = make_catalog()

    assert "first" in parts.names("strategy")
    assert parts.check("strategy", "first", {}) == {"share": 0.5}
    assert parts.create("strategy", "first", {"share": 0.25}).share == 0.25
    with pytest.raises(ConfigurationError, match=r"`strategy\.parameters\.share`.*'much'"):
        parts.check("strategy", "first", {"share": "much"})


def test_a_built_in_name_stays_ours_and_the_package_is_told(
    site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lay_out(site, "clashing", WHOLE, strategies="badge = clashing:First")

    with caplog.at_level(logging.WARNING):
        parts = make_catalog()

    assert type(parts.create("strategy", "badge")).__module__.startswith("activesynth.")
    assert "strategy 'badge' of clashing is left out" in caplog.text
    assert "rename the entry point in activesynth.strategies" in caplog.text


def test_two_packages_that_offer_one_name_are_not_chosen_between(site: Path) -> None:
    lay_out(site, "one", WHOLE, strategies="first = one:First")
    lay_out(site, "other", WHOLE, strategies="first = other:First")

    parts = make_catalog()

    assert parts.check("strategy", "random", {}) == {}
    with pytest.raises(ConfigurationError, match=r"more than one package: one, other"):
        parts.check("strategy", "first", {})


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import a_module_that_nobody_has", "a_module_that_nobody_has.*repair or uninstall"),
        ("raise RuntimeError('half installed')", "half installed"),
        ("", "no attribute 'First'|has no attribute"),
        ("class First: pass", "lacks select, which activesynth/domain/ports.py asks for"),
    ],
)
def test_a_broken_package_is_told_where_it_is_named_and_takes_no_other_away(
    site: Path, source: str, says: str, request: pytest.FixtureRequest
) -> None:
    name = f"broken{abs(hash(request.node.name))}"
    lay_out(site, name, source, strategies=f"broken = {name}:First")

    parts = make_catalog()

    assert parts.check("strategy", "badge", {}) == make_catalog().check("strategy", "badge", {})
    for ask in (parts.check, parts.create):
        with pytest.raises(ConfigurationError, match=says) as caught:
            ask("strategy", "broken", {})
        assert name in str(caught.value)


def test_a_notebook_may_add_and_replace_parts() -> None:
    parts = make_catalog()

    parts.add("strategy", "mine", Row("activesynth.targeting.strategies:Random"))

    assert "mine" in parts.names("strategy")
