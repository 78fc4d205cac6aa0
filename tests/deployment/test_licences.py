"""No distribution of the lock files is under a licence that nobody looked at, or that we refuse."""

from __future__ import annotations

import importlib.util
import sys
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest

DOCKER = Path(__file__).parents[2] / "docker"


def load_rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licence_rules", DOCKER / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RULES = load_rules()


def facts(*lines: tuple[str, str]) -> Message:
    message = Message()
    for field, text in lines:
        message[field] = text
    return message


def test_every_distribution_of_every_lock_is_under_a_licence_that_is_allowed() -> None:
    found = RULES.complaints(RULES.LISTS, RULES.installed(), RULES.reviewed())

    assert found == []
    assert len({name for path in RULES.LISTS for name in RULES.listed(path)}) > 250


def test_the_table_holds_nothing_that_no_lock_names() -> None:
    named = {name for path in RULES.LISTS for name in RULES.listed(path)}

    assert set(RULES.reviewed()) <= named


def test_proprietary_runtimes_are_named_and_in_the_gpu_image_only() -> None:
    rows = RULES.reviewed().values()
    proprietary = {row["name"] for row in rows if row["licence"] == RULES.NVIDIA}

    assert proprietary
    assert all(name.startswith(("nvidia-", "cuda-")) for name in proprietary)
    for path in RULES.LISTS:
        if path.name != "requirements-gpu.lock":
            assert not proprietary & set(RULES.listed(path)), path.name


def test_tools_under_other_licences_are_in_no_image() -> None:
    for path in RULES.SHIPPED:
        assert not set(RULES.TOOLS) & set(RULES.listed(path))


@pytest.mark.parametrize(
    "licence",
    [
        "AGPL-3.0-only",
        "BUSL-1.1",
        "SSPL-1.0",
        "GPL-3.0-only",
        "GPL-2.0-or-later AND MIT",
        "CC-BY-NC-4.0",
        "Commons Clause",
        "LicenseRef-NVIDIA-Proprietary",
        "LicenseRef-Whatever",
        "(MIT OR Apache-2.0) AND MIT",
    ],
)
def test_what_the_rules_do_not_name_is_refused(licence: str, tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text("stranger==1.0 \\\n    --hash=sha256:00\n")

    [found] = RULES.complaints((lock,), {"stranger": facts(("License-Expression", licence))}, {})

    assert found == f"x.lock: stranger is under {licence}, which is not allowed"


@pytest.mark.parametrize(
    "licence",
    ["MIT", "BSL-1.0", "MIT OR GPL-3.0-only", "Apache-2.0 AND MIT", "LGPL-3.0-or-later", "MPL-2.0"],
)
def test_what_the_rules_name_is_taken(licence: str, tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text("Some.Name==1.0\n")

    given = {"some-name": facts(("License-Expression", licence))}
    assert RULES.complaints((lock,), given, {}) == []


def test_what_nobody_looked_at_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text("silent==1.0\nstranger==1.0\n")
    silent = {"silent": facts(("License", "UNKNOWN"))}

    assert RULES.complaints((lock,), silent, {}) == [
        "x.lock: silent is neither installed nor in licences.csv",
        "x.lock: stranger is neither installed nor in licences.csv",
    ]


@pytest.mark.parametrize(
    ("lines", "expression"),
    [
        ([("License-Expression", "MIT"), ("License", "GPL")], "MIT"),
        ([("License", "Apache 2.0")], "Apache-2.0"),
        ([("License", "MIT License"), ("Classifier", "License :: OSI Approved")], "MIT"),
        (
            [
                ("License", "MIT"),
                (
                    "Classifier",
                    "License :: OSI Approved :: GNU Affero General Public License v3",
                ),
            ],
            "GNU Affero General Public License v3 AND MIT",
        ),
        (
            [
                ("License", "BSD-3-Clause"),
                ("Classifier", "License :: OSI Approved :: BSD License"),
            ],
            "BSD-3-Clause",
        ),
        ([("License", "Copyright, all rights reserved. " * 9)], ""),
        ([("License", "Business Source License 1.1")], "Business Source License 1.1"),
    ],
)
def test_metadata_is_read_as_what_it_says(lines: list[tuple[str, str]], expression: str) -> None:
    assert RULES.stated(facts(*lines))[0] == expression
