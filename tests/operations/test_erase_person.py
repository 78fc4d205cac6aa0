"""How rows of a person who withdrew are known, and what is left of others."""

from __future__ import annotations

import numpy as np

from activesynth.domain.samples import SampleSet
from activesynth.operations.person import Person, Withdrawn


def test_a_refused_file_of_the_person_is_known_by_its_folder() -> None:
    rows = SampleSet(
        np.array(["refused:1", "refused:2"]),
        np.zeros((2, 0), np.uint8),
        np.full(2, -1),
        np.array(["", ""]),
        {"name": np.array(["x/p1/a.png", "x/p11/a.png"]), "detail": np.array(["d", "d"])},
    )

    clean = Person(Withdrawn("p1", ()), "salt").cleaned(rows)

    assert clean is not None
    assert clean.ids.tolist() == ["refused:2"]


def test_names_that_near_duplicates_gave_to_others_are_renamed() -> None:
    rows = SampleSet(
        np.array(["a", "b", "c"]),
        np.zeros((3, 2), np.float32),
        np.zeros(3, np.int64),
        np.array(["p1", "p1", "p2"]),
        {"source_group": np.array(["p1", "p2", "p2"])},
    )
    person = Person(Withdrawn("p1", ()), "salt", ids={"a"}, groups={"p1"})

    clean = person.cleaned(rows)

    assert clean is not None
    assert clean.ids.tolist() == ["b", "c"]
    assert clean.groups[0].startswith("erased-")
    assert clean.groups[1] == "p2"
    assert person.cleaned(rows.take([2])) is None
