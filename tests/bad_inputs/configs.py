"""Campaign files, parts, environment and triggers that are refused before any data is read."""

from __future__ import annotations

from bad_inputs.case import RUN, Case, Place, changed, setting, trigger, written

HEAD = "name: toy\nsource: {name: digits}\n"
_LAUGHS = "".join(
    f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 12)
)
_SOURCE = "source.parameters"

FILES = [
    changed("campaign file", "a misspelt key", "unknown_field", "sede", sede=3),
    changed(
        "campaign file", "a misspelt key below", "unknown_field", "plan.grow", plan={"grow": 1}
    ),
    written("campaign file", "no source", "missing_field", "source", "name: toy\n"),
    written("campaign file", "no name", "missing_field", "name", "source: {name: digits}\n"),
    changed("campaign file", "a text for a number", "wrong_type", "seed", seed="three"),
    changed("campaign file", "half a seed", "wrong_type", "seed", seed=0.5),
    changed("campaign file", "null for a section", "wrong_type", "gate", gate=None),
    changed("campaign file", "a list for a section", "wrong_type", "plan", plan=[1]),
    changed(
        "campaign file", "too much growth", "out_of_range", "plan.growth", plan={"growth": 99.0}
    ),
    changed("campaign file", "a negative seed", "out_of_range", "seed", seed=-1),
    changed(
        "campaign file",
        "not a number",
        "out_of_range",
        "gate.margin",
        gate={"margin": float("nan")},
    ),
    changed("campaign file", "shares beyond one", "bad_value", "splits", splits={"train": 0.9}),
    changed("campaign file", "another task", "bad_value", "task", task="regression"),
    changed(
        "campaign file",
        "a schedule that never fires",
        "bad_value",
        "refresh.schedule",
        refresh={"schedule": "0 0 31 2 *"},
    ),
    written(
        "campaign file",
        "a name with a path",
        "bad_value",
        "name",
        'name: "../x"\nsource: {name: digits}\n',
    ),
    written(
        "campaign file",
        "another name than the file",
        "name_mismatch",
        "name",
        "name: other\nsource: {name: digits}\n",
    ),
    written("yaml", "a key given twice", "duplicate_key", "seed", HEAD + "seed: 1\nseed: 2\n"),
    written(
        "yaml", "a billion laughs", "too_large_file", "alias", HEAD + "a0: &a0 [lol]\n" + _LAUGHS
    ),
    written("yaml", "a list within itself", "too_large_file", "alias", HEAD + "a: &a [*a]\n"),
    written(
        "yaml",
        "an object to build",
        "not_yaml",
        "",
        HEAD + "a: !!python/object/apply:os.system ['true']\n",
    ),
    written("yaml", "not UTF-8", "not_utf8", "toy.yaml", HEAD.encode() + b"description: caf\xe9\n"),
    written("yaml", "zero bytes", "not_yaml", "toy.yaml", HEAD.encode() + b"\0\0"),
    written("yaml", "two megabytes", "too_large_file", "toy.yaml", HEAD + "#" * (2 << 20)),
    written("yaml", "brackets without end", "not_yaml", "toy.yaml", HEAD + "a: [1\n"),
    written(
        "yaml", "a thousand brackets", "not_yaml", "toy.yaml", HEAD + "a: " + "[" * 9000 + "\n"
    ),
    written("yaml", "a list", "not_a_mapping", "toy.yaml", "- name\n"),
    written("yaml", "nothing", "not_a_mapping", "toy.yaml", ""),
]

PARTS = [
    changed("part", "an unknown source", "unknown_part", "source", source={"name": "punchcards"}),
    changed("part", "an unknown trainer", "unknown_part", "trainer", trainer={"name": "oracle9"}),
    changed("part", "another site", "wrong_type", "source", source="https://example.org/data"),
    changed(
        "part",
        "a parameter that the source has not",
        "unknown_field",
        f"{_SOURCE}.url",
        source={"name": "openml", "parameters": {"name": "x", "url": "http://127.0.0.1/"}},
    ),
    changed(
        "part",
        "a parameter where none is taken",
        "unknown_field",
        "source",
        source={"name": "digits", "parameters": {"path": "x"}},
    ),
    changed(
        "part",
        "a budget of ten bytes",
        "out_of_range",
        f"{_SOURCE}.max_bytes",
        source={"name": "npz", "parameters": {"path": "x", "max_bytes": 10}},
    ),
    changed(
        "part",
        "everything may be bad",
        "out_of_range",
        f"{_SOURCE}.max_refused",
        source={"name": "npz", "parameters": {"path": "x", "max_refused": 1.0}},
    ),
    changed(
        "part",
        "no regular expression",
        "bad_value",
        f"{_SOURCE}.group_pattern",
        source={"name": "folder", "parameters": {"path": "x", "group_pattern": "("}},
    ),
    changed(
        "part",
        "a dataset name with a path",
        "bad_value",
        f"{_SOURCE}.name",
        source="openml:../../etc/passwd",
    ),
]

ENVIRONMENT = [
    setting("threads in words", "wrong_type", "ACTIVESYNTH_THREADS", THREADS="many"),
    setting("no threads", "out_of_range", "ACTIVESYNTH_THREADS", THREADS="0"),
    setting("an unknown device", "bad_value", "ACTIVESYNTH_DEVICE", DEVICE="tpu"),
    setting(
        "endless patience",
        "out_of_range",
        "ACTIVESYNTH_S3_TIMEOUT_SECONDS",
        S3_TIMEOUT_SECONDS="inf",
    ),
    setting(
        "no address of a database",
        "bad_address",
        "ACTIVESYNTH_DATABASE_URL",
        DATABASE_URL="postgres",
    ),
    setting(
        "another database",
        "bad_address",
        "ACTIVESYNTH_DATABASE_URL",
        DATABASE_URL="mysql://a:b@c/d",
    ),
    setting("objects by FTP", "bad_address", "ACTIVESYNTH_OBJECTS_URL", OBJECTS_URL="ftp://host/x"),
    setting(
        "S3 without keys", "missing_setting", "ACTIVESYNTH_S3_ENDPOINT", OBJECTS_URL="s3://bucket/x"
    ),
]

TRIGGERS = [
    trigger("an undeclared key", "unknown_field", "budget", budget=5),
    trigger("code as a key", "unknown_field", "__class__", __class__="x"),
    trigger("5.0 for a whole number", "wrong_type", "iterations", iterations=5.0),
    trigger("a text for a whole number", "wrong_type", "iterations", iterations="5"),
    trigger("true for a whole number", "wrong_type", "labels", labels=True),
    trigger("an object for a number", "wrong_type", "growth", growth={"of": 1}),
    trigger("a list for a text", "wrong_type", "note", note=["a"]),
    trigger("no campaign", "missing_field", "campaign", campaign=None),
    trigger("a path for a campaign", "bad_value", "campaign", campaign="../../etc/passwd"),
    trigger("a million iterations", "out_of_range", "iterations", iterations=10**6),
    trigger("not a number", "out_of_range", "growth", growth=float("nan")),
    trigger("a very long note", "out_of_range", "note", note="x" * 201),
    trigger("a campaign without a file", "no_campaign_file", "campaign", campaign="nosuch"),
    trigger("nobody who could answer", "unknown_part", "annotator", annotator="nobody"),
]


def _no_file(place: Place) -> tuple[str, ...]:
    return RUN


NAMES = [
    Case(
        "name",
        "a campaign without a file",
        "command line",
        2,
        "no_campaign_file",
        "campaign",
        _no_file,
    ),
    Case(
        "name",
        "a path for a campaign",
        "command line",
        2,
        "bad_value",
        "campaign",
        lambda _: ("run", "../x"),
    ),
    Case(
        "name",
        "growth beyond the limit",
        "command line",
        2,
        "out_of_range",
        "growth",
        lambda _: ("run", "toy", "--growth", "9"),
    ),
    Case(
        "iteration id",
        "no id at all",
        "command line",
        2,
        "bad_iteration_id",
        "iteration",
        lambda _: ("iteration", "fail", "abc", "--reason", "x"),
    ),
    Case(
        "iteration id",
        "of an unknown campaign",
        "command line",
        2,
        "unknown_campaign",
        "campaign",
        lambda _: ("iteration", "fail", "no:1:1", "--reason", "x"),
    ),
    Case(
        "iteration id",
        "SQL for a sample",
        "command line",
        2,
        "unknown_sample",
        "sample",
        lambda _: ("show", "sample", "'; drop table x; --"),
    ),
    Case(
        "annotation",
        "of an unknown campaign",
        "command line",
        2,
        "unknown_campaign",
        "campaign",
        lambda _: ("annotate", "no", "--annotator", "ann"),
    ),
    Case(
        "export",
        "of an unknown campaign",
        "command line",
        2,
        "unknown_campaign",
        "campaign",
        lambda _: ("export", "version", "no", "out"),
    ),
]

CASES = [*FILES, *PARTS, *ENVIRONMENT, *TRIGGERS, *NAMES]
