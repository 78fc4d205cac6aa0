"""``python -m bad_inputs`` (in ``tests/``): the table of bad inputs and how they are answered.

``test_bad_inputs.py`` gives every one of them and compares the answer with this table.
"""

from __future__ import annotations

from bad_inputs import configs, servers, sources

HEADER = ("kind", "input", "where it is given", "exit code", "reason code", "field")
CASES = [*configs.CASES, *sources.CASES, *servers.CASES]


def main() -> None:
    """Print the table as Markdown."""
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    for case in CASES:
        cells = (case.kind, case.title, case.where, case.code, case.reason, case.field)
        print(f"| {' | '.join(map(str, cells))} |")
    kinds = {case.kind for case in CASES}
    reasons = {case.reason for case in CASES}
    print(f"\n{len(CASES)} inputs of {len(kinds)} kinds, {len(reasons)} reason codes")


if __name__ == "__main__":
    main()
