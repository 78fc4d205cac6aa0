"""Disturb a running Compose stack while the demo's two iterations run, and compare what they leave.

    python tests/deployment/stack_drill.py [--seed N] [--head DIGEST]

Starts the demo in the container `cli`, and every few seconds kills, pauses or restarts a part that
is drawn at random: the worker, the scheduler, the DAG processor, the triggerer, the API server,
Redis, Postgres (killed, not stopped) and the object store (paused). Then it waits for the runs,
reads every blob by `fsck`, and checks history: every iteration committed once, in one line.
`--head` is the head that an undisturbed demo left; equal work has an equal address.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise

RUNS = ("digits__it0", "digits__it1")
PATIENCE_SECONDS = 1800
QUERY = (
    "select json_agg(r) from (select i.number, i.state, i.fence, v.digest, v.parent "
    "from activesynth.iterations i left join activesynth.dataset_versions v "
    "on v.digest = i.version and v.campaign = i.campaign "
    "where i.campaign = 'digits' order by 1) r"
)
HEAD = "select head from activesynth.campaigns where name = 'digits'"


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to which part; a pause lasts ``seconds``."""

    part: str
    action: str
    seconds: float = 0.0


DISTURBANCES = (
    Disturbance("worker", "kill"),
    Disturbance("scheduler", "kill"),
    Disturbance("dag-processor", "kill"),
    Disturbance("triggerer", "kill"),
    Disturbance("api-server", "kill"),
    Disturbance("redis", "kill"),
    Disturbance("postgres", "kill"),
    Disturbance("worker", "pause", 20),
    Disturbance("scheduler", "pause", 20),
    Disturbance("api-server", "pause", 20),
    Disturbance("redis", "pause", 15),
    Disturbance("postgres", "pause", 10),
    Disturbance("minio", "pause", 15),
)


def compose(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", "compose", *arguments], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"docker compose {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


def ask(statement: str) -> str:
    shell = ("exec", "-T", "--user", "postgres", "postgres", "psql", "-AtX", "activesynth", "-c")
    return compose(*shell, statement).strip()


def disturb(found: Disturbance) -> None:
    if found.action == "pause":
        compose("pause", found.part)
        time.sleep(found.seconds)
        compose("unpause", found.part)
        return
    compose("kill", "--signal", "SIGKILL", found.part)
    time.sleep(3)
    compose("up", "--detach", "--no-deps", found.part)


def ended() -> bool:
    """Tell whether both iterations are committed; a database that is down says nothing."""
    try:
        rows = json.loads(ask(QUERY) or "null") or []
    except RuntimeError:
        return False
    return [row["state"] for row in rows] == ["committed"] * len(RUNS)


def problems(head: str | None) -> list[str]:
    """Return what is wrong with what the runs left."""
    rows = json.loads(ask(QUERY) or "null") or []
    found = [
        f"iteration {row['number']} is {row['state']}"
        for row in rows
        if row["state"] != "committed"
    ]
    if [row["number"] for row in rows] != list(range(len(RUNS))):
        found.append(f"iterations are {[row['number'] for row in rows]}")
    versions = [row for row in rows if row["digest"]]
    for earlier, later in pairwise(versions):
        if later["parent"] != earlier["digest"]:
            found.append(f"version {later['digest'][:12]} does not follow {earlier['digest'][:12]}")
    left = ask(HEAD)
    if head is not None and left != head:
        found.append(f"the head is {left}, that of the undisturbed run {head}")
    checked = subprocess.run(
        ["docker", "compose", "run", "--rm", "--no-deps", "cli", "fsck", "digits"],
        capture_output=True,
        text=True,
    )
    if checked.returncode != 0:
        found.append(f"fsck ended with {checked.returncode}: {checked.stdout[-1000:]}")
    print(f"head {left}\nfsck: {checked.stdout.strip().splitlines()[-1:]}")
    return found


def main() -> int:
    """Run the drill; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--head")
    parser.add_argument("--rest", type=float, default=15.0, help="seconds between two disturbances")
    told = parser.parse_args()
    draw = random.Random(told.seed)
    order = list(DISTURBANCES)
    draw.shuffle(order)

    started = time.monotonic()
    demo = ("run", "--rm", "--no-deps", "--detach", "cli", "demo")
    compose(*demo)
    count = 0
    while not ended() and time.monotonic() - started < PATIENCE_SECONDS:
        time.sleep(told.rest * draw.uniform(0.5, 1.5))
        if count < len(order):
            found = order[count]
            print(f"{time.monotonic() - started:6.0f} s  {found.action} {found.part}", flush=True)
            disturb(found)
            count += 1
        elif count == len(order):
            # The demo's follower gives up after a minute without the API: start what it left.
            compose(*demo)
            count += 1
    print(f"{count} disturbances in {time.monotonic() - started:.0f} s")
    found_wrong = problems(told.head)
    for line in found_wrong:
        print(f"VIOLATION {line}")
    print(f"{len(found_wrong)} violations")
    return int(bool(found_wrong))


if __name__ == "__main__":
    sys.exit(main())
