"""Schemathesis over the OpenAPI description: no 5xx, and no answer that the schema does not tell.

Half of the requests name what is there (a campaign, its head, an open question), for a random name
gets no further than 404; the rest is what the schema allows, or just does not allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from urllib3 import request

from activesynth.domain.documents import DatasetManifest
from activesynth.domain.effects import Unwatched
from activesynth.domain.records import IterationCommit, IterationRecord, QueueItem
from activesynth.lineage.lineage import open_lineage
from activesynth.storage.directory import DirectoryObjectStore
from lineage_cases import CONFIG, make_commit, make_root
from platform_fixtures import PostgresServer
from served_pages import PageServer
from web_routes import RULES

ROOM = "/activesynth"
OPERATIONS = sorted(
    (path, method) for method, path in RULES if "/api/" in path and "openapi" not in path
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
THERE: dict[str, Any] = {
    "campaign": "digits",
    "number": 0,
    "sample": "synthetic-0-a",
    "digest": "",  # the head, once it is made
    "item": "digits:1:0",
    "version": 0,
    "label": "eight",
    "target": "class:1",
    "generator": "generator-card",
    "weakness": "class-8",
}


@pytest.fixture(scope="module")
def served(
    page_server: PageServer,
    postgres_server: PostgresServer,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PageServer]:
    """Serve a campaign with a committed iteration, and one that asks a hundred questions."""
    name = postgres_server.create_database(migrated_template)
    home = tmp_path_factory.mktemp("home")
    lineage = open_lineage(postgres_server.url(name), Unwatched())
    objects = DirectoryObjectStore(home / "objects", Unwatched())
    root = DatasetManifest(modality="image", classes=("one", "eight"), parent=None, splits={})
    digest = objects.put(root.encode())
    lineage.store.register_campaign("digits", CONFIG)
    lineage.store.commit_version("digits", make_root(digest), expected_head=None)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    head = objects.put(root.model_copy(update={"parent": digest}).encode())
    lineage.store.commit_iteration(commit_of(opened, head))
    THERE["digest"] = head
    opened = lineage.store.open_iteration("digits", "run-1", {})
    lineage.queue.enqueue(
        opened.ref,
        [QueueItem(f"digits:1:{n}", f"sample-{n}", "label", "s", n, None) for n in range(100)],
    )
    lineage.close()
    with page_server.serving(postgres_server.url(name), home):
        yield page_server
    postgres_server.drop_database(name)


def commit_of(opened: IterationRecord, head: str) -> IterationCommit:
    """Return a commit whose version is a manifest that is in the store."""
    made = make_commit(opened)
    bundle = made.bundle
    assert bundle.version is not None
    members = tuple(replace(one, manifest=head) for one in bundle.members)
    version = replace(bundle.version, digest=head)
    models = tuple(replace(one, trained_on=head) for one in bundle.models)
    return replace(made, bundle=replace(bundle, members=members, version=version, models=models))


@pytest.fixture(scope="module")
def described(served: PageServer) -> BaseSchema:
    address = f"{served.url}{ROOM}/api/v1/openapi.json"
    found = request("GET", address, headers={"Authorization": "Bearer ada"})
    document = json.loads(found.data)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=served.url + ROOM)
    schema.config.generation.update(with_security_parameters=False)
    return schema


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        (path, method, mode)
        for path, method in OPERATIONS
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or "{" in path  # else nothing can be wrong
    ],
)
def test_no_request_gets_a_5xx_or_what_the_schema_does_not_tell(
    described: BaseSchema, served: PageServer, path: str, method: str, mode: GenerationMode
) -> None:
    operation = described[path][method]

    @settings(
        max_examples=40,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.data())
    def try_it(case: Case[Any], known: st.DataObject) -> None:
        # What is mounted never sees a path with a line break: its host answers that.
        assume(not {"\n", "%0A"} & set(re.split("(\n|%0A)", case.formatted_path)))
        checks = CHECKS
        if known.draw(st.booleans()):
            name_what_is_there(case)
            checks = [check for check in CHECKS if check is not negative_data_rejection]
        headers = {"Authorization": "Bearer ada", "X-Activesynth": "1"}
        case.call_and_validate(headers=headers, checks=checks)

    try_it()


def name_what_is_there(case: Case[Any]) -> None:
    parts = [case.path_parameters, case.query]
    if isinstance(case.body, dict):
        parts.append(case.body)
    for part in parts:
        for name in part or {}:
            if name in THERE and isinstance(part[name], type(THERE[name])):
                part[name] = THERE[name]
    if isinstance(case.body, dict) and "item" in case.body:
        case.body["sample"] = "sample-0"


def test_every_route_of_the_api_is_described(described: BaseSchema) -> None:
    told = {
        (path, method.upper())
        for path, operations in described.raw_schema["paths"].items()
        for method in operations
    }

    assert told == set(OPERATIONS)
