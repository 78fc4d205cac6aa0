"""Addresses: what a campaign, a description from outside, a redirect or a setting may not name."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from activesynth.bootstrap import catalog
from activesynth.config.campaign import parse_campaign
from activesynth.config.settings import Settings
from activesynth.datasets.fetching import Site
from activesynth.datasets.openml import OPENML
from activesynth.domain.effects import Unwatched
from activesynth.lineage.engine import make_engine
from activesynth.steps.begin import check_parts
from activesynth.storage.opening import open_store
from bad_inputs.piece import Piece
from openml_site import StandIn, serving

NAME = "source.name"


def fetched(site: Site, address: str) -> None:
    site.fetch(address, io.BytesIO(), max_bytes=1000, seconds=2)


def asked_for(title: str, address: str) -> Piece:
    """Return an address that somebody else's description names."""
    return Piece(
        "uri", title, "fetching", "forbidden_host", NAME, lambda _: lambda: fetched(OPENML, address)
    )


def leads_to(host: str) -> Piece:
    """Return a host that is allowed by its name, and leads to where nothing may be fetched."""
    literal = f"[{host}]" if ":" in host else host
    site = Site(f"https://{literal}/", frozenset({host}))
    title = f"a listed name that leads to {host}"
    return Piece(
        "uri", title, "fetching", "forbidden_host", NAME, lambda _: lambda: fetched(site, "x")
    )


def redirected(title: str, target: str, reason: str = "forbidden_host", field: str = NAME) -> Piece:
    """Return a redirect of the site that is asked."""

    def parse() -> None:
        with serving(StandIn(b"", redirect=target)) as stand_in:
            fetched(stand_in.site, "data/x")

    return Piece("redirect", title, "fetching", reason, field, lambda _: parse)


def in_campaign(title: str, reason: str, field: str, source: Any, **more: Any) -> Piece:
    """Return a campaign that names its data by an address."""

    def parse() -> object:
        found = parse_campaign({"name": "toy", "source": source, **more}, "toy.yaml")
        check_parts(catalog(), found)
        return found

    return Piece("uri", title, "campaign file", reason, field, lambda _: parse)


def as_hub(title: str, hub: str, revision: str = "a" * 40, field: str = "hub") -> Piece:
    """Return a checkpoint by its name on the hub."""
    generator = {"name": "checkpoint", "parameters": {"hub": hub, "revision": revision}}
    field = f"generator.parameters.{field}"
    return in_campaign(title, "bad_value", field, "openml:x", generator=generator)


def as_objects(title: str, url: str, **more: Any) -> Piece:
    """Return an address of the object store."""

    def give(folder: Path) -> Callable[[], object]:
        keys = {"s3_access_key": SecretStr("a"), "s3_secret_key": SecretStr("b")}
        given: dict[str, Any] = {"objects_url": url, "s3_endpoint": "127.0.0.1:1", **keys, **more}
        settings = Settings(home=folder, **given)
        return lambda: open_store(settings, Unwatched())

    return Piece("uri", title, "ACTIVESYNTH_OBJECTS_URL", "bad_address", "ACTIVESYNTH_", give)


def as_database(title: str, url: str) -> Piece:
    """Return an address of the database."""
    field = "ACTIVESYNTH_DATABASE_URL"
    return Piece("uri", title, field, "bad_address", field, lambda _: lambda: make_engine(url))


SITE = "www.openml.org"
ADDRESSES = [
    asked_for(title, address)
    for title, address in {
        "without encryption": f"http://{SITE}/x",
        "a file": "file:///etc/passwd",
        "a file at a host": f"file://{SITE}/etc/passwd",
        "FTP": f"ftp://{SITE}/x",
        "gopher": f"gopher://{SITE}/x",
        "data": "data:text/plain,x",
        "a script": "javascript:alert(1)",
        "a socket": "unix:///run/docker.sock",
        "another host": "https://example.org/x",
        "another host without a scheme": "//example.org/x",
        "a host that ends alike": f"https://evil-{SITE}/x",
        "a host that begins alike": f"https://{SITE}.example.org/x",
        "a host that looks alike": "https://www.\u043epenml.org/x",
        "a host with a dot at the end": f"https://{SITE}./x",
        "a user": f"https://user@{SITE}/x",
        "a user and a password": f"https://user:word@{SITE}/x",
        "a password alone": f"https://:word@{SITE}/x",
        "an empty user": f"https://@{SITE}/x",
        "the site as a user": f"https://{SITE}@127.0.0.1/x",
        "the site as a user behind a backslash": f"https://127.0.0.1\\@{SITE}/x",
        "a backslash for a slash": f"https:\\\\{SITE}\\x",
        "the site behind a fragment": f"https://127.0.0.1#@{SITE}/x",
        "the site behind a question": f"https://127.0.0.1?@{SITE}/x",
        "an encoded slash in the host": "https://www.openml.org%2f@example.org/x",
        "an encoded host": "https://%77ww.openml.org/x",
        "an encoded NUL": f"https://{SITE}%00.example.org/x",
        "another port": f"https://{SITE}:8443/x",
        "the port of a database": f"https://{SITE}:5432/x",
        "a port that is none": f"https://{SITE}:port/x",
        "a port beyond all": f"https://{SITE}:99999/x",
        "a negative port": f"https://{SITE}:-1/x",
        "brackets that stay open": "https://[::1/x",
        "brackets around no address": "https://[www.openml.org]/x",
        "a zone": "https://[fe80::1%25eth0]/x",
        "loopback": "https://127.0.0.1/x",
        "loopback by one number": "https://2130706433/x",
        "loopback in hexadecimal": "https://0x7f000001/x",
        "loopback in IPv6": "https://[::1]/x",
        "a line within": f"https://{SITE}/x\r\nHost: example.org",
        "a tab within": f"https://{SITE}/\tx",
        "a space within": f"https://{SITE}/x y",
        "letters beyond ASCII": f"https://{SITE}/donn\u00e9es",
        "a NUL": f"https://{SITE}/\0",
        "a hundred thousand letters": f"https://{SITE}/{'x' * 100_000}",
    }.items()
]

PRIVATE = [
    leads_to(host)
    for host in (
        *("localhost", "127.0.0.1", "127.1.2.3", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"),
        *("0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *(
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
        ),
        *("::1", "::", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "fe80::1", "fec0::1"),
        *("fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::"),
        *("2001:0:7f00:1::", "2001:db8::1"),
    )
]

REDIRECTS = [
    redirected("to another port of loopback", "http://127.0.0.1:1/x"),
    redirected("to loopback by another name", "http://localhost/x"),
    redirected("to a cloud's own address", "http://169.254.169.254/latest/meta-data/"),
    redirected("to a file", "file:///etc/passwd"),
    redirected("to FTP", "ftp://127.0.0.1/x"),
    redirected("to data", "data:text/plain,x"),
    redirected("to another scheme", "https://127.0.0.1/x"),
    redirected("to another host without a scheme", "//example.org/x"),
    redirected("to a user", "http://user@127.0.0.1/x"),
    redirected("to brackets that stay open", "http://[::1/x"),
    redirected("to letters beyond ASCII", "/donn\u00e9es"),
    redirected("to a space", "/a b"),
    redirected("to a backslash", "/\\example.org"),
    redirected("to ten thousand letters", "/" + "x" * 10_000),
    redirected("to itself for ever", "/data/x", "fetch_refused", "source.parameters.name"),
]

SOURCE = "source.parameters"
CAMPAIGNS = [
    in_campaign("a site for a source", "wrong_type", "source", "https://example.org/x"),
    in_campaign("a file for a source", "wrong_type", "source", "file:///etc/passwd"),
    in_campaign("a bucket for a source", "wrong_type", "source", "s3://bucket/x"),
    in_campaign("a dataset that climbs", "bad_value", f"{SOURCE}.name", "openml:../../x"),
    in_campaign("a dataset with an encoded slash", "bad_value", f"{SOURCE}.name", "openml:a%2fb"),
    in_campaign("a dataset with a question", "bad_value", f"{SOURCE}.name", "openml:a?b=c"),
    in_campaign("a dataset at a host", "bad_value", f"{SOURCE}.name", "openml://example.org/x"),
    in_campaign("a dataset without a name", "bad_value", f"{SOURCE}.name", "openml:"),
    in_campaign("a dataset of 101 letters", "bad_value", f"{SOURCE}.name", "openml:" + "a" * 101),
    as_hub("a checkpoint at a host", "https://example.org/a/b"),
    as_hub("a checkpoint that climbs", "../../etc"),
    as_hub("a checkpoint of one word", "model"),
    as_hub("a checkpoint of three words", "a/b/c"),
    as_hub("a checkpoint with a revision", "a/b@main"),
    as_hub("a checkpoint by its branch", "a/b", "main", "revision"),
    as_hub("a checkpoint by half a commit", "a/b", "a" * 20, "revision"),
    as_objects("objects by HTTP", "http://127.0.0.1/x"),
    as_objects("objects by FTP", "ftp://host/x"),
    as_objects("a bucket without a name", "s3:///x"),
    as_objects("a bucket with capitals", "s3://Bucket/x"),
    as_objects("a bucket that climbs", "s3://../x"),
    as_objects("no address of objects", "objects"),
    as_objects("a bucket in open brackets", "s3://[bucket/x"),
    as_objects("an endpoint with a path", "s3://bucket/x", s3_endpoint="127.0.0.1:1/admin"),
    as_objects("an endpoint with a user", "s3://bucket/x", s3_endpoint="user@127.0.0.1:1"),
    as_database("another database", "mysql://a:b@c/d"),
    as_database("a file for a database", "sqlite:////etc/passwd"),
    as_database("a site for a database", "https://example.org/"),
    as_database("no address of a database", "postgres"),
    as_database("a port in words", "postgresql+psycopg2://a:b@c:port/d"),
]

PIECES: list[Piece] = [*ADDRESSES, *PRIVATE, *REDIRECTS, *CAMPAIGNS]
