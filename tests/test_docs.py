"""What the documents say about this repository, checked against it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from activesynth.config.campaign import CampaignConfig, Part
from activesynth.config.object_roles import ObjectRoles
from activesynth.config.settings import SECRETS, Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
HOW_TO_LINES = 80
README_LINES = 150
NOT_OURS = {".git", ".venv", ".activesynth", ".hypothesis", "__pycache__", "build", "dist"}

NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# A folder of somebody's machine; `open/home/x` is relative and harmless.
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:work|root|home|Users)/[\w.]")


def named_tests(text: str) -> list[tuple[str, str]]:
    return NAMED_TEST.findall(text)


def functions_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


def missing_tests(text: str, root: Path = ROOT) -> list[str]:
    return [
        f"{file}::{name}"
        for file, name in named_tests(text)
        if not (root / file).is_file() or name not in functions_in(root / file)
    ]


def broken_links(document: Path) -> list[str]:
    """Return relative links that lead nowhere; headings within a file are not looked up."""
    links = LINK.findall(FENCE.sub("", document.read_text()))
    return [
        link
        for link in links
        if not re.match(r"[a-z]+:|#", link)
        and not (document.parent / link.partition("#")[0]).exists()
    ]


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every field a person can set, as ``section.field``; parts are looked up elsewhere."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Part:
            yield from fields_of(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def our_files(root: Path = ROOT) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS and not name.endswith(("_cache", ".egg-info"))
        ]
        yield from (Path(folder) / name for name in files)


def lines_with_machine_paths(root: Path = ROOT) -> list[str]:
    found = []
    for path in our_files(root):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(root)}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if MACHINE_PATH.search(line)
        ]
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_a_document_names_exists(document: Path) -> None:
    assert missing_tests(document.read_text()) == []


def test_every_promise_names_a_test_that_proves_it() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    promises = text.partition("## Not yet promised")[0].split("\n## ")[1:]

    assert len(promises) >= 10
    for promise in promises:
        title = promise.splitlines()[0]
        assert "**Promised.**" in promise, title
        assert "**Not promised.**" in promise, title
        assert named_tests(promise), title


def test_every_threat_names_a_control_and_a_test_and_what_is_open_is_said() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    threats = text.partition("## Threats")[2].partition("\n## ")[0].split("\n\n**")[1:]

    assert len(threats) >= 8
    for threat in threats:
        title, _, control = threat.partition("**")
        assert len(control.partition("\n\n- ")[0].split()) > 15, title
        assert named_tests(threat), title
    assert "\n## What is not controlled\n\n- " in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def test_the_readme_and_the_recipes_are_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < README_LINES
    for recipe in (ROOT / "docs" / "how-to").glob("*.md"):
        assert len(recipe.read_text().splitlines()) < HOW_TO_LINES, recipe.name


def test_every_field_of_a_campaign_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "reference" / "campaign.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]

    assert sorted(documented) == sorted(fields_of(CampaignConfig))


def test_every_setting_of_the_environment_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    known = [f"ACTIVESYNTH_{name.upper()}" for name in Settings.model_fields]
    known += [f"ACTIVESYNTH_S3_{name.upper()}" for name in ObjectRoles.model_fields]

    assert sorted(set(re.findall(r"ACTIVESYNTH_[A-Z0-9_]+", text)) - {SECRETS}) == sorted(known)


def test_the_recipe_for_a_modality_quotes_its_example() -> None:
    recipe = (ROOT / "docs" / "how-to" / "add-a-modality.md").read_text()
    example = ROOT / "examples" / "plane"
    quoted = re.findall(r"^```(toml|python)\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL)
    sources = {"toml": example / "pyproject.toml", "python": example / "activesynth_plane.py"}

    assert [kind for kind, _ in quoted] == ["toml", "python"]
    for kind, block in quoted:
        assert block.strip() in sources[kind].read_text(), kind
    listed = re.findall(r"^  (\S+)", recipe, re.MULTILINE)
    assert set(listed) == {path.name for path in example.iterdir() if path.is_file()}


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    assert lines_with_machine_paths() == []


def test_these_checks_can_fail(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("def test_here() -> None: ...\n")
    document = tmp_path / "a.md"
    broken, fine = "[a](b.md) [c](https://x.y)", "[d](a.md#top) [e](tests)\n```\n[f](g.md)\n```"
    document.write_text(f"{broken} {fine}\n")
    (tmp_path / "b.txt").write_text("x\nsee /" + "home/ada/data and open/home/x\n")
    (tmp_path / "c.txt").write_text("open/home/x ~/home/x\n")

    text = "`tests/test_a.py::test_here` `tests/test_a.py::test_gone` `tests/test_b.py::test_x`"
    assert missing_tests(text, tmp_path) == [
        "tests/test_a.py::test_gone",
        "tests/test_b.py::test_x",
    ]
    assert broken_links(document) == ["b.md"]
    assert lines_with_machine_paths(tmp_path) == ["b.txt:2"]
