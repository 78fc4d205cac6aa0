"""Campaign, corpus and experiment files, and the requests that start runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from activesynth.bootstrap import catalog
from activesynth.config.campaign import parse_campaign, read_campaign
from activesynth.config.corpus import parse_corpus
from activesynth.config.experiment import parse_experiment
from activesynth.config.trigger import parse_diagnosis, parse_experiment_run, parse_trigger
from activesynth.steps.begin import check_parts
from bad_inputs.piece import Piece

HEAD = "name: toy\nsource: {name: digits}\n"


def in_file(title: str, reason: str, field: str, text: str | bytes) -> Piece:
    """Return a campaign file as somebody wrote it."""

    def give(folder: Path) -> Callable[[], object]:
        path = folder / "toy.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return lambda: check_parts(catalog(), read_campaign(path))

    return Piece("yaml", title, "campaign file", reason, field, give)


def tower(levels: int, width: int) -> str:
    """Return anchors of which each repeats the one before."""
    steps = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(["a0: &a0 [lol, lol]", *steps]) + "\n"


YAMLS = [
    in_file(title, reason, field, HEAD + text)
    for title, reason, field, text in [
        ("a tower of anchors", "too_large_file", "aliases", tower(12, 9)),
        ("a wide tower of anchors", "too_large_file", "aliases", tower(4, 400)),
        ("a mapping within itself", "too_large_file", "aliases", "a: &a {b: *a}\n"),
        ("a merge of itself", "too_large_file", "aliases", "a: &a\n  <<: *a\n"),
        ("an anchor that is not there", "not_yaml", "toy.yaml", "seed: *nowhere\n"),
        ("a merge of a number", "not_yaml", "toy.yaml", "plan:\n  <<: 3\n"),
        (
            "a key given twice below",
            "duplicate_key",
            "growth",
            "plan: {growth: 0.1, growth: 0.2}\n",
        ),
        ("the name given twice", "duplicate_key", "name", "name: toy\n"),
        ("a list for a key", "not_yaml", "toy.yaml", "? [a, b]\n: 1\n"),
        ("a mapping for a key", "not_yaml", "toy.yaml", "? {a: 1}\n: 1\n"),
        ("a number for a key", "bad_value", "3", "3: 4\n"),
        ("null for a key", "bad_value", "None", "~: 4\n"),
        ("tabs for spaces", "not_yaml", "toy.yaml", "plan:\n\tgrowth: 0.1\n"),
        ("a second document", "not_yaml", "toy.yaml", "---\nname: other\n"),
        ("a directive", "not_yaml", "toy.yaml", "%TAG ! tag:x,2000:\n"),
        ("a tag of Python", "not_yaml", "toy.yaml", "a: !!python/name:os.system\n"),
        ("a tag of a module", "not_yaml", "toy.yaml", "a: !!python/module:os\n"),
        (
            "a tag that makes an object",
            "not_yaml",
            "toy.yaml",
            "a: !!python/object/new:pathlib.Path [executed]\n",
        ),
        ("a tag of somebody's own", "not_yaml", "toy.yaml", "a: !mine 3\n"),
        ("bytes that are no text", "bad_value", "description", "description: !!binary gICA\n"),
        ("the 30th of February", "not_yaml", "toy.yaml", "a: 2026-02-30\n"),
        ("a number of 5,000 digits", "not_yaml", "toy.yaml", "seed: " + "9" * 5000 + "\n"),
        (
            "a number to the base 60",
            "out_of_range",
            "seed",
            "seed: " + ":".join(["59"] * 30) + "\n",
        ),
        ("control characters", "not_yaml", "toy.yaml", "description: \x1b[2J\n"),
        ("half a pair of surrogates", "bad_value", "description", 'description: "\\ud800"\n'),
        ("an escaped NUL", "bad_value", "description", 'description: "a\\0b"\n'),
        (
            "an escaped command to the terminal",
            "bad_value",
            "description",
            'description: "\\e[2J"\n',
        ),
        ("a quote without end", "not_yaml", "toy.yaml", 'description: "x\n'),
        ("a block that ends too early", "not_yaml", "toy.yaml", "plan:\n  a: 1\n b: 2\n"),
        ("braces a thousand deep", "not_yaml", "toy.yaml", "a: " + "{a: " * 1000 + "\n"),
        ("lists a thousand deep", "not_yaml", "toy.yaml", "a: " + "- " * 3000 + "1\n"),
    ]
] + [
    in_file("UTF-16", "not_utf8", "toy.yaml", HEAD.encode("utf-16")),
    in_file("UTF-16 without a mark", "not_yaml", "toy.yaml", HEAD.encode("utf-16-le")),
    in_file("Latin-1", "not_utf8", "toy.yaml", HEAD.encode() + b"description: \xe9\n"),
    in_file(
        "an overlong slash", "not_utf8", "toy.yaml", HEAD.encode() + b"description: \xc0\xaf\n"
    ),
    in_file("a number alone", "not_a_mapping", "toy.yaml", "3\n"),
    in_file("a text alone", "not_a_mapping", "toy.yaml", "name\n"),
    in_file("comments alone", "not_a_mapping", "toy.yaml", "# nothing\n"),
    in_file("a program", "not_a_mapping", "toy.yaml", "#!/bin/sh\ntouch executed\n"),
    in_file("JSON of a list", "not_a_mapping", "toy.yaml", '[{"name": "toy"}]'),
]


def in_section(reason: str, field: str, document: Mapping[str, Any], title: str = "") -> Piece:
    """Return a campaign with sections that are wrong."""

    def parse() -> object:
        given = {"name": "toy", "source": {"name": "digits"}, **document}
        found = parse_campaign(given, "toy.yaml")
        check_parts(catalog(), found)
        return found

    shown = title or f"{field} of {str(document)[-40:]}"
    return Piece("campaign file", shown, "campaign file", reason, field, lambda _: parse)


NAN, INFINITE = float("nan"), float("inf")
SECTIONS = [
    in_section("unknown_field", "plan.shard_row", {"plan": {"shard_row": 10}}),
    in_section("unknown_field", "gate.off", {"gate": {"off": True}}),
    in_section(
        "unknown_field",
        "source.parameters.url",
        {"source": {"name": "npz", "parameters": {"path": "x", "url": "y"}}},
    ),
    in_section("unknown_field", "__class__", {"__class__": "x"}),
    in_section("missing_field", "source.parameters.path", {"source": {"name": "npz"}}),
    in_section("missing_field", "source.name", {"source": {"parameters": {}}}),
    in_section("wrong_type", "source", {"source": None}),
    in_section("wrong_type", "source.parameters", {"source": {"name": "npz", "parameters": [1]}}),
    in_section("wrong_type", "loop.max_iterations", {"loop": {"max_iterations": "many"}}),
    in_section("wrong_type", "loop.max_iterations", {"loop": {"max_iterations": 5.5}}),
    in_section("wrong_type", "selection.labels", {"selection": {"labels": [40]}}),
    in_section("wrong_type", "gate.enabled", {"gate": {"enabled": "perhaps"}}),
    in_section("wrong_type", "description", {"description": {"a": 1}}),
    in_section("wrong_type", "diagnosis.severities", {"diagnosis": {"severities": 3}}),
    in_section("out_of_range", "seed", {"seed": 2**31}),
    in_section("out_of_range", "seed", {"seed": 10**400}, "a seed of four hundred digits"),
    in_section("out_of_range", "loop.max_iterations", {"loop": {"max_iterations": 10**9}}),
    in_section("out_of_range", "loop.max_minutes", {"loop": {"max_minutes": NAN}}),
    in_section("out_of_range", "splits.train", {"splits": {"train": INFINITE}}),
    in_section("out_of_range", "splits.train", {"splits": {"train": NAN}}),
    in_section("out_of_range", "plan.growth", {"plan": {"growth": -0.1}}),
    in_section("out_of_range", "plan.shards", {"plan": {"shards": 10**6}}),
    in_section("out_of_range", "uncertainty.passes", {"uncertainty": {"passes": 1}}),
    in_section("out_of_range", "clusters.count", {"clusters": {"count": 5000}}),
    in_section("out_of_range", "evaluation.resamples", {"evaluation": {"resamples": 10**9}}),
    in_section("out_of_range", "training.replicates", {"training": {"replicates": 0}}),
    in_section("out_of_range", "annotation.timeout_hours", {"annotation": {"timeout_hours": 1e9}}),
    in_section(
        "out_of_range",
        "source.parameters.max_bytes",
        {"source": {"name": "npz", "parameters": {"path": "x", "max_bytes": 1 << 50}}},
    ),
    in_section(
        "out_of_range",
        "source.parameters.max_seconds",
        {"source": {"name": "npz", "parameters": {"path": "x", "max_seconds": 0}}},
    ),
    in_section("bad_value", "name", {"name": "Toy"}),
    in_section("bad_value", "name", {"name": "toy;drop"}),
    in_section("bad_value", "name", {"name": "a" * 41}, "a name of 41 letters"),
    in_section("bad_value", "name", {"name": "toy\n"}),
    in_section("bad_value", "training.quality", {"training": {"quality": "best"}}),
    in_section("bad_value", "refresh.schedule", {"refresh": {"schedule": "* * * *"}}),
    in_section("bad_value", "refresh.schedule", {"refresh": {"schedule": "61 * * * *"}}),
    in_section(
        "bad_value",
        "source.parameters.rows",
        {"source": {"name": "npz", "parameters": {"path": "x", "rows": [9, 3]}}},
    ),
    in_section(
        "bad_value",
        "source.parameters.attributes",
        {"source": {"name": "folder", "parameters": {"path": "x", "attributes": "(?P<a"}}},
    ),
    in_section("unknown_part", "generator", {"generator": {"name": "os.system"}}),
    in_section("unknown_part", "trainer", {"trainer": {"name": "activesynth.models:Trainer"}}),
    in_section("unknown_part", "modality", {"modality": "smell"}),
    in_section("unknown_part", "annotator", {"annotation": {"annotator": "nobody"}}),
]


def in_corpus(title: str, reason: str, field: str, **changes: Any) -> Piece:
    document = {"name": "c", "licence": "CC0", "source": {"name": "digits"}, **changes}
    given = {key: value for key, value in document.items() if value is not None}
    return Piece(
        "corpus file",
        title,
        "corpus file",
        reason,
        field,
        lambda _: lambda: parse_corpus(given, "c.yaml"),
    )


def in_experiment(title: str, reason: str, field: str, text: str) -> Piece:
    def parse() -> object:
        return parse_experiment(yaml.safe_load(text), "e.yaml")

    return Piece("experiment file", title, "experiment file", reason, field, lambda _: parse)


OTHERS = [
    in_corpus("no licence", "missing_field", "licence", licence=None),
    in_corpus("an empty licence", "out_of_range", "licence", licence=""),
    in_corpus("a licence of 201 letters", "out_of_range", "licence", licence="x" * 201),
    in_corpus("a path for a name", "bad_value", "name", name="../c"),
    in_corpus("another key", "unknown_field", "url", url="x"),
    in_corpus("49 rows", "out_of_range", "rows", rows=49),
    in_experiment("a list", "not_a_mapping", "e.yaml", "[1]"),
    in_experiment("nothing that it needs", "missing_field", "name", "description: x"),
    in_experiment("a path for a name", "bad_value", "name", "name: ../e"),
    in_experiment("another key", "missing_field", "e.yaml", "name: e\nexec: x"),
]


def request(parse: Callable[[Mapping[str, Any]], object], where: str) -> Callable[..., Piece]:
    """Return how to make requests that ``parse`` refuses."""

    def make(title: str, reason: str, field: str, **conf: Any) -> Piece:
        return Piece(
            "request", f"{title} ({where})", where, reason, field, lambda _: lambda: parse(conf)
        )

    return make


run = request(parse_trigger, "run of a campaign")
diagnosis = request(parse_diagnosis, "diagnosis")
experiment = request(parse_experiment_run, "run of an experiment")
TOY: dict[str, Any] = {"campaign": "toy"}
REQUESTS = [
    run("nothing", "missing_field", "campaign"),
    run("an empty campaign", "missing_field", "campaign", campaign=""),
    run("a number for a campaign", "wrong_type", "campaign", campaign=3),
    run("a list for a campaign", "wrong_type", "campaign", campaign=["toy"]),
    run("bytes for a campaign", "wrong_type", "campaign", campaign=b"toy"),
    run("capitals", "bad_value", "campaign", campaign="TOY"),
    run("a campaign of 41 letters", "bad_value", "campaign", campaign="a" * 41),
    run("a line at the end", "bad_value", "campaign", campaign="toy\n"),
    run("SQL", "bad_value", "campaign", campaign="toy'; drop table campaigns; --"),
    run("a template", "bad_value", "campaign", campaign="{{ var.value.secret }}"),
    run("an absolute path", "bad_value", "campaign", campaign="/etc/passwd"),
    run("a NUL", "bad_value", "campaign", campaign="toy\0"),
    run("letters that look alike", "bad_value", "campaign", campaign="t\u043ey"),
    run("another key", "unknown_field", "force", **TOY, force=True),
    run("a key of Python's", "unknown_field", "__init__", **TOY, __init__="x"),
    run("a key with a line", "unknown_field", "a\nb", **TOY, **{"a\nb": 1}),
    run("a thousand keys", "unknown_field", "k0", **TOY, **{f"k{n}": n for n in range(1000)}),
    run("a key of 10,000 letters", "unknown_field", "kkkk", **TOY, **{"k" * 10_000: 1}),
    run("no iteration", "out_of_range", "iterations", **TOY, iterations=0),
    run("less than none", "out_of_range", "iterations", **TOY, iterations=-1),
    run("1001 iterations", "out_of_range", "iterations", **TOY, iterations=1001),
    run("a number of four hundred digits", "out_of_range", "iterations", **TOY, iterations=10**400),
    run("5.0", "wrong_type", "iterations", **TOY, iterations=5.0),
    run("false", "wrong_type", "iterations", **TOY, iterations=False),
    run("a word", "wrong_type", "iterations", **TOY, iterations="all"),
    run("an object", "wrong_type", "iterations", **TOY, iterations={"$gt": 0}),
    run("less than no label", "out_of_range", "labels", **TOY, labels=-1),
    run("a million labels", "out_of_range", "labels", **TOY, labels=10**6),
    run("half a label", "wrong_type", "labels", **TOY, labels=0.5),
    run("no growth", "out_of_range", "growth", **TOY, growth=0.0),
    run("negative growth", "out_of_range", "growth", **TOY, growth=-1.0),
    run("endless growth", "out_of_range", "growth", **TOY, growth=INFINITE),
    run("growth in words", "wrong_type", "growth", **TOY, growth="0.5"),
    run("growth of true", "wrong_type", "growth", **TOY, growth=True),
    run("an annotator of 41 letters", "out_of_range", "annotator", **TOY, annotator="a" * 41),
    run("a number for an annotator", "wrong_type", "annotator", **TOY, annotator=3),
    run("a note of a megabyte", "out_of_range", "note", **TOY, note="x" * (1 << 20)),
    run("an object for a note", "wrong_type", "note", **TOY, note={"a": 1}),
    run("a note that clears the screen", "bad_value", "note", **TOY, note="\x1b[2Jall is well"),
    run("a note with a NUL", "bad_value", "note", **TOY, note="a\0b"),
    run("a note with half a pair", "bad_value", "note", **TOY, note="\ud800"),
    run("an annotator with a NUL", "bad_value", "annotator", **TOY, annotator="a\0b"),
    diagnosis("nothing", "missing_field", "campaign"),
    diagnosis("another key", "unknown_field", "split", **TOY, split="test"),
    diagnosis("a path", "bad_value", "campaign", campaign="../toy"),
    diagnosis("a number", "wrong_type", "campaign", campaign=1),
    experiment("nothing", "missing_field", "experiment"),
    experiment("a path", "bad_value", "experiment", experiment="a/b"),
    experiment("21 letters", "bad_value", "experiment", experiment="a" * 21),
    experiment("another phase", "bad_value", "phase", experiment="e", phase="final"),
    experiment("a number for a phase", "bad_value", "phase", experiment="e", phase=1),
    experiment("another key", "unknown_field", "seeds", experiment="e", seeds=[1]),
]

PIECES: list[Piece] = [*YAMLS, *SECTIONS, *OTHERS, *REQUESTS]
