"""Reason codes are a promise to scripts: what is raised is documented, and the reverse."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference" / "errors.md"
CODE = re.compile(r"[a-z][a-z_0-9]{2,40}")


def sources() -> Iterator[ast.Module]:
    for folder in (ROOT / "activesynth", ROOT / "plugins"):
        for path in sorted(folder.rglob("*.py")):
            yield ast.parse(path.read_text())


def codes_in(tree: ast.AST) -> Iterator[str]:
    """Yield what is given as a reason to an error, by name or as the first word of an item's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if not node.func.id.endswith("Error"):
                continue
            given = [word.value for word in node.keywords if word.arg == "reason"]
            given += node.args[:1] if node.func.id == "ItemError" else []
            yield from (str(part.value) for part in given if isinstance(part, ast.Constant))
        elif isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "reason":
                    yield ast.literal_eval(line.value)


def texts_in(tree: ast.AST) -> set[str]:
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def documented() -> set[str]:
    rows = [line for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]
    return {code for row in rows for code in re.findall(r"`([a-z_0-9]+)`", row.split("|")[1])}


def test_every_reason_code_that_is_raised_is_documented() -> None:
    raised = {code for tree in sources() for code in codes_in(tree)}

    assert len(raised) > 60
    assert all(CODE.fullmatch(code) for code in raised)
    assert raised - documented() == set()


def test_every_documented_reason_code_exists() -> None:
    texts = {text for tree in sources() for text in texts_in(tree)}

    assert documented() - texts == set()


def test_the_catalogue_of_bad_inputs_uses_documented_codes() -> None:
    from bad_inputs.__main__ import CASES
    from bad_inputs.pieces import PIECES

    reasons = {case.reason for case in CASES} | {piece.reason for piece in PIECES}
    assert reasons - documented() == set()
