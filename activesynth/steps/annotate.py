"""Have the selected rows answered: by people, by an oracle, or automatically."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from activesynth.config.campaign import CampaignConfig
from activesynth.domain.canonical import Array, sha256
from activesynth.domain.dataset_access import load_oracle
from activesynth.domain.exchange import AnnotationTask
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Annotator
from activesynth.domain.records import Annotation, IterationRef, QueueItem, StepRecord
from activesynth.domain.sharing import KINDS
from activesynth.errors import ConflictError, WaitingForPeople
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn

STEP = Step("annotate")


def annotate(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the answers that there are once all are in, or the time for them is over.

    Raises:
        WaitingForPeople: If answers are missing and there is time left; call again later.
    """
    turn = open_turn(iteration_id, platform)
    selection_digest = turn.step("select").artifacts["selection"]
    if turn.record.state == "committed":
        return turn.step("annotate")
    _wait_if_it_must(turn)
    offer(turn, selection_digest)
    answers = collect(turn)

    def compute(outputs: Outputs) -> None:
        outputs.json("answers", answers)
        actions = [answer["action"] for answer in answers]
        outputs.facts["asked"] = len(_items(turn, turn.artifacts.json(selection_digest)))
        outputs.facts["answered"] = len(answers)
        for action in sorted(set(actions)):
            outputs.facts[action] = actions.count(action)

    return execute(
        turn,
        STEP,
        inputs={"selection": selection_digest, "answers": turn.artifacts.put_json(answers)},
        settings={},
        compute=compute,
    )


def _wait_if_it_must(turn: Turn) -> None:
    """Look first at what costs nothing: a waiting run asks three times a minute, for days.

    Raises:
        WaitingForPeople: If questions are open, people answer them, and there is time left.
    """
    queue, part = turn.platform.queue, turn.config.annotation
    since = queue.waiting_since(turn.ref)
    if since is None or queue.closed(turn.ref) is not None:
        return
    missing = queue.progress(turn.ref.campaign).open
    annotator: Annotator = turn.platform.parts.create("annotator", part.annotator, part.parameters)
    if annotator.needs_people and missing > 0:
        _wait(turn, since, missing)


def _wait(turn: Turn, since: datetime, missing: int) -> None:
    deadline = since + timedelta(hours=turn.config.annotation.timeout_hours)
    if turn.platform.clock.now() < deadline:
        raise WaitingForPeople(
            f"iteration {turn.ref} waits for {missing} answers until {deadline:%Y-%m-%d %H:%M} "
            f"UTC; give them with `activesynth annotate {turn.ref.campaign} --annotator NAME`."
        )


def offer(turn: Turn, selection_digest: str) -> None:
    """Put the items into the queue once, and let the annotator answer what it can at once."""
    selection = turn.artifacts.json(selection_digest)
    items = _items(turn, selection)
    if not items:
        return
    queue = turn.platform.queue
    queue.enqueue(turn.ref, items)
    part = turn.config.annotation
    annotator: Annotator = turn.platform.parts.create("annotator", part.annotator, part.parameters)
    if annotator.needs_people or queue.closed(turn.ref) is not None:
        return
    answered = {answer.item for answer in queue.answers(turn.ref)}
    open_items = [item for item in items if item.id not in answered]
    tasks = _tasks(turn, open_items)
    for answer in annotator.annotate(tasks, seed=turn.seed("annotate")):
        try:
            queue.answer(answer, holder=turn.ref)
        except ConflictError as error:
            if error.reason != "item_closed":
                raise
            return  # a person went on with what there was


def collect(turn: Turn) -> list[dict[str, Any]]:
    """Return the answers in a canonical order, without times.

    Raises:
        WaitingForPeople: If somebody still has to answer and there is time left.
    """
    queue = turn.platform.queue
    since = queue.waiting_since(turn.ref)
    if since is not None and queue.closed(turn.ref) is None:
        _close(turn, since)
    # Read when no more can come: what is on record is what the iteration goes on with.
    return [_plain(answer) for answer in sorted(queue.answers(turn.ref), key=lambda a: a.sample)]


def _close(turn: Turn, since: datetime) -> None:
    queue, part = turn.platform.queue, turn.config.annotation
    annotator: Annotator = turn.platform.parts.create("annotator", part.annotator, part.parameters)
    missing = len(_items(turn, _selection(turn))) - len(queue.answers(turn.ref))
    if annotator.needs_people and missing > 0:
        _wait(turn, since, missing)
    queue.close(turn.ref, "time_over" if annotator.needs_people and missing > 0 else "answered")


def _plain(answer: Annotation) -> dict[str, Any]:
    return {
        "sample": answer.sample,
        "action": answer.action,
        "label": answer.label,
        "annotator": answer.annotator,
    }


def _selection(turn: Turn) -> Any:
    return turn.artifacts.json(turn.step("select").artifacts["selection"])


def item_id(ref: IterationRef, sample: str) -> str:
    """Name the question about one sample in one iteration."""
    return f"{ref.campaign}:{ref.number}:{sample}"


def _items(turn: Turn, selection: Any) -> list[QueueItem]:
    places = _places(turn, selection)
    items = []
    for kind in KINDS:
        for sample in selection[kind]:
            shard, row, proposed = places[sample]
            name = item_id(turn.ref, sample)
            second = wants_second(turn.config, name)
            items.append(QueueItem(name, sample, kind, shard, row, proposed, second=second))
    return items


def wants_second(config: CampaignConfig, item: str) -> bool:
    """Tell whether a second person is asked about an item too: of equal seeds, the same ones."""
    share = config.annotation.second_opinions
    drawn = int(sha256(f"second opinion:{config.seed}:{item}".encode())[:13], 16) / 16**13
    return drawn < share


def _places(turn: Turn, selection: Any) -> dict[str, tuple[str, int, int | None]]:
    """Find the blob and row of every selected sample, and the label that it was made for or has."""
    candidates = turn.step("screen").artifacts["targeted.samples"]
    sources = {
        "label": [ref.blob for ref in turn.manifest.splits["pool"]],
        "review": [candidates],
        "recheck": [ref.blob for ref in turn.manifest.splits["train"]],
    }
    places: dict[str, tuple[str, int, int | None]] = {}
    for kind in KINDS:
        wanted = set(selection[kind])
        for digest in sources[kind] if wanted else ():
            rows = turn.artifacts.samples(digest)
            for row, sample in enumerate(rows.ids.tolist()):
                if sample in wanted:
                    label = None if kind == "label" else int(rows.y[row])
                    places[sample] = (digest, row, label)
    return places


def _tasks(turn: Turn, items: list[QueueItem]) -> list[AnnotationTask]:
    if not items:
        return []
    inputs = _inputs(turn, items)
    predicted = turn.artifacts.arrays(turn.step("select").artifacts["predictions"])
    place = {sample: row for row, sample in enumerate(predicted["ids"].tolist())}
    hidden = load_oracle(turn.platform.objects, turn.manifest)
    return [
        AnnotationTask(
            item,
            inputs[n],
            predicted["probs"][place[item.sample]],
            predicted["reference"][place[item.sample]],
            hidden.get(item.sample),
        )
        for n, item in enumerate(items)
    ]


def _inputs(turn: Turn, items: list[QueueItem]) -> list[Array]:
    """Return what is asked about, one shard read at a time."""
    found: dict[tuple[str, int], Array] = {}
    for shard in sorted({item.shard for item in items}):
        x = turn.artifacts.samples(shard).x
        found |= {(shard, item.row): x[item.row].copy() for item in items if item.shard == shard}
    return [found[item.shard, item.row] for item in items]
