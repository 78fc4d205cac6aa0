"""The benchmark of pages asks for every page and every route of the API that answers GET."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.pages import ADDRESSES
from web_routes import listed_routes

NO_PAGES = {"/static/{}", "/api/v1/openapi.json"}
"""Files of the server itself, the same for every campaign."""


def unnamed(address: str) -> str:
    return re.sub(r"\{\w+\}|active_synthesis", "{}", address.partition("?")[0])


def test_the_benchmark_of_pages_leaves_none_out(tmp_path: Path) -> None:
    routes = {unnamed(path) for method, path in listed_routes(tmp_path) if method == "GET"}

    assert routes - NO_PAGES == {unnamed(address) for address in ADDRESSES.values()}
