"""``python -m bad_inputs`` (in ``tests/``): the table of bad inputs and how they are answered.

``test_bad_inputs.py`` gives every case to the whole command or to the task of Airflow, and
``test_bad_pieces.py`` every piece to the function that parses its kind; both compare the answer
with this table.
"""

from __future__ import annotations

from collections import Counter

from bad_inputs import configs, servers, sources
from bad_inputs.case import Case
from bad_inputs.piece import Piece
from bad_inputs.pieces import PIECES

HEADER = ("kind", "input", "where it is given", "met by", "reason code", "field")
CASES = [*configs.CASES, *sources.CASES, *servers.CASES]


def main() -> None:
    """Print the table as Markdown."""
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    for case in CASES:
        met_by = "task" if case.where == "Airflow trigger" else f"command, exit code {case.code}"
        cells = (case.kind, case.title, case.where, met_by, case.reason, case.field)
        print(f"| {' | '.join(map(str, cells))} |")
    for piece in PIECES:
        reason = f"{piece.reason} ({piece.says})" if piece.says else piece.reason
        cells = (piece.kind, piece.title, piece.where, "parser", reason, piece.field)
        print(f"| {' | '.join(cells)} |".encode("ascii", "backslashreplace").decode())
    every: list[Case | Piece] = [*CASES, *PIECES]
    kinds = Counter(one.kind for one in every)
    print("\n" + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    print(
        f"{len(every)} inputs of {len(kinds)} kinds, {len({one.reason for one in every})} reason "
        f"codes; {len(CASES)} go through the whole command or task, {len(PIECES)} to the parser"
    )


if __name__ == "__main__":
    main()
