"""Who may commit, what everybody sees, and what a lost answer leaves."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import create_engine, make_url, text

from activesynth.cli import main
from activesynth.domain.effects import EffectKind
from activesynth.domain.records import (
    Bundle,
    IterationCommit,
    IterationRecord,
    SampleRow,
    VersionRow,
)
from activesynth.errors import ActiveSynthError, ConfigurationError, ConflictError, TransientError
from activesynth.lineage.canonical import canonical_state
from activesynth.lineage.lineage import Lineage, open_lineage
from lineage_cases import ROOT, make_campaign, make_commit, make_metrics, make_root, make_step
from platform_fixtures import PostgresServer
from postgres_proxy import LossyProxy


@dataclass
class Interference:
    """Does something just before the commits whose label starts with ``label``."""

    label: str = "nothing"
    act: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list)

    def before(self, kind: EffectKind, key: str) -> None:
        self.seen.append(key)
        if key.startswith(self.label):
            self.label = "nothing"
            self.act()

    def after(self, kind: EffectKind, key: str) -> None:
        pass


def outcome(work: Callable[[], object]) -> object:
    """Return the result, or the class of the error."""
    try:
        return work()
    except ActiveSynthError as error:
        return type(error)


def race(*work: Callable[[], object]) -> list[object]:
    """Start all at the same moment in threads of their own."""
    barrier = Barrier(len(work))

    def run(one: Callable[[], object]) -> object:
        barrier.wait()
        return outcome(one)

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


@pytest.fixture
def opened(lineage: Lineage) -> IterationRecord:
    make_campaign(lineage.store)
    return lineage.store.open_iteration("digits", "run-0", {"budget": 5})


def test_an_iteration_starts_from_the_head_and_remembers_its_trigger(
    opened: IterationRecord,
) -> None:
    assert (opened.ref.number, opened.ref.fence, opened.state) == (0, 1, "open")
    assert (opened.parent, opened.overrides) == (ROOT, {"budget": 5})


def test_a_campaign_without_data_cannot_start(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", {})

    with pytest.raises(ConfigurationError, match="no dataset version yet; ingest"):
        lineage.store.open_iteration("digits", "run-0", {})


def test_the_same_run_rejoins_its_iteration_also_after_its_commit(
    lineage: Lineage, opened: IterationRecord
) -> None:
    again = lineage.store.open_iteration("digits", "run-0", {"budget": 99})
    lineage.store.commit_iteration(make_commit(opened))
    late = lineage.store.open_iteration("digits", "run-0", {})

    assert again == opened
    assert (late.ref, late.state) == (opened.ref, "committed")


def test_another_run_is_told_who_holds_the_iteration_and_the_way_out(
    lineage: Lineage,
    opened: IterationRecord,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", database_url)
    with pytest.raises(ConflictError, match="'run-0' holds iteration 0") as refused:
        lineage.store.open_iteration("digits", "run-1", {})

    command = shlex.split(str(refused.value).split("`")[1])
    code = main(command[1:])

    assert command[:4] == ["activesynth", "iteration", "fail", str(opened.ref)]
    assert code == 0
    assert lineage.store.open_iteration("digits", "run-1", {}).ref.fence == 2


def test_of_many_runs_that_open_at_once_one_wins(lineage: Lineage) -> None:
    make_campaign(lineage.store)

    results = race(
        *(
            lambda run=run: lineage.store.open_iteration("digits", run, {}).run_key
            for run in ("a", "b", "c", "d")
        )
    )

    assert results.count(ConflictError) == 3
    assert len({"a", "b", "c", "d"} & {str(result) for result in results}) == 1


def test_of_two_equal_commits_at_once_one_writes_and_one_finds_it_done(
    lineage: Lineage, opened: IterationRecord
) -> None:
    commit = make_commit(opened)

    results = race(*[lambda: lineage.store.commit_iteration(commit)] * 3)

    assert sorted(results, key=str) == [False, False, True]
    assert lineage.store.campaign("digits").iterations == 1


def test_of_two_different_commits_at_once_one_is_refused(
    lineage: Lineage, opened: IterationRecord
) -> None:
    one, other = make_commit(opened), make_commit(opened, reason="another reason")

    results = race(
        lambda: lineage.store.commit_iteration(one), lambda: lineage.store.commit_iteration(other)
    )

    assert sorted(results, key=str) == [ConflictError, True]


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "another reason"},
        {"decision": "refused"},
        {"branches": {}},
        {"bundle": Bundle(metrics=make_metrics()[:2])},
    ],
)
def test_an_iteration_committed_with_other_content_stays_as_it_was(
    lineage: Lineage, opened: IterationRecord, changes: dict[str, object], database_url: str
) -> None:
    lineage.store.commit_iteration(make_commit(opened))
    before = canonical_state(database_url, "digits")

    with pytest.raises(ConflictError, match="already committed by run 'run-0' with other content"):
        lineage.store.commit_iteration(make_commit(opened, **changes))
    assert canonical_state(database_url, "digits") == before


def test_a_commit_moves_head_model_and_branches_together(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.store.commit_iteration(make_commit(opened))

    campaign = lineage.store.campaign("digits")
    assert (campaign.head, campaign.head_model) == ("manifest-0", "model-0")
    assert (campaign.branches, campaign.iterations) == ({"random": "branch-0"}, 1)


def test_a_refused_iteration_that_added_nothing_keeps_the_head(
    lineage: Lineage, opened: IterationRecord
) -> None:
    refused = make_commit(
        opened, decision="refused", reason="too close", bundle=Bundle(metrics=make_metrics())
    )

    lineage.store.commit_iteration(refused)

    record = lineage.store.iteration(opened.ref)
    assert (record.state, record.decision, record.version) == ("committed", "refused", None)
    assert lineage.store.campaign("digits").head == ROOT
    assert lineage.store.metric_history("digits", "balanced_accuracy", "real") == [(0, 0.8)]


def test_nothing_of_an_open_iteration_is_visible(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    before = canonical_state(database_url, "digits")
    lineage.store.record_step(opened.ref, make_step())

    assert canonical_state(database_url, "digits") == before
    assert lineage.reader.step_costs("digits") == []
    assert lineage.reader.iterations("digits") == []


def test_a_commit_that_dies_before_it_commits_leaves_nothing(database_url: str) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    effects = Interference()
    lineage = open_lineage(database_url, effects)
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    before = canonical_state(database_url, "digits")
    effects.label, effects.act = "commit_iteration", die
    with pytest.raises(KeyboardInterrupt):
        lineage.store.commit_iteration(make_commit(opened))

    assert canonical_state(database_url, "digits") == before
    assert lineage.store.commit_iteration(make_commit(opened))
    lineage.close()


def test_every_transaction_that_writes_is_told_to_the_effects(database_url: str) -> None:
    effects = Interference()
    lineage = open_lineage(database_url, effects)
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    lineage.store.record_step(opened.ref, make_step())
    lineage.store.count_split_read("digits", "gate", "iteration 0", 0)
    lineage.store.commit_iteration(make_commit(opened))
    lineage.store.mark_sent("digits:0")
    lineage.close()

    assert effects.seen == [
        "register_campaign:digits",
        f"commit_version:digits:{ROOT}",
        "open_iteration:digits:run-0",
        "record_step:digits:0:train:0",
        "count_split_read:digits:gate:iteration 0",
        "commit_iteration:digits:0",
        "mark_sent:digits:0",
    ]


def test_a_failed_iteration_is_taken_over_under_a_higher_fence(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.store.fail_iteration(opened.ref, "out of memory")
    taken = lineage.store.open_iteration("digits", "run-1", {})

    assert (taken.ref.number, taken.ref.fence, taken.run_key) == (0, 2, "run-1")
    for stale in (
        lambda: lineage.store.iteration(opened.ref),
        lambda: lineage.store.step(opened.ref, "train"),
        lambda: lineage.store.steps(opened.ref, "train"),
        lambda: lineage.store.record_step(opened.ref, make_step()),
        lambda: lineage.store.fail_iteration(opened.ref, "late"),
        lambda: lineage.store.commit_iteration(make_commit(opened)),
    ):
        with pytest.raises(ConflictError, match="taken over by run 'run-1'"):
            stale()


def test_a_run_that_was_taken_over_is_told_so_also_where_its_successor_committed_the_same(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.store.fail_iteration(opened.ref, "its run is dead")
    taken = lineage.store.open_iteration("digits", "run-1", {})
    assert lineage.store.commit_iteration(make_commit(taken))

    with pytest.raises(ConflictError, match="taken over by run 'run-1'"):
        lineage.store.commit_iteration(make_commit(opened))


def test_a_failed_run_that_comes_back_keeps_its_fence(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.store.fail_iteration(opened.ref, "out of memory")

    assert lineage.store.open_iteration("digits", "run-0", {}) == opened


def test_a_failed_run_that_comes_back_to_a_moved_head_starts_anew(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.store.fail_iteration(opened.ref, "out of memory")
    refreshed = Bundle(version=VersionRow("refreshed", ROOT, "refresh", {}))
    lineage.store.commit_version("digits", refreshed, expected_head=ROOT)

    again = lineage.store.open_iteration("digits", "run-0", {})

    assert (again.ref.fence, again.parent) == (2, "refreshed")
    assert lineage.store.commit_iteration(make_commit(again))


def test_a_late_failure_does_not_undo_a_commit(lineage: Lineage, opened: IterationRecord) -> None:
    lineage.store.commit_iteration(make_commit(opened))
    lineage.store.fail_iteration(opened.ref, "a later task failed")

    assert lineage.store.iteration(opened.ref).state == "committed"


def test_shards_staged_before_a_take_over_do_not_count_after_it(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    for shard in range(3):
        lineage.store.record_step(opened.ref, make_step("generate", shard))
    lineage.store.fail_iteration(opened.ref, "stopped")
    taken = lineage.store.open_iteration("digits", "run-1", {})
    before = lineage.store.steps(taken.ref, "generate")
    lineage.store.record_step(taken.ref, make_step("generate", 0))
    reusable = lineage.store.find_step("key-generate-2")

    lineage.store.commit_iteration(make_commit(taken))

    assert before == []
    assert reusable == make_step("generate", 2)
    assert [record.shard for record in lineage.store.steps(taken.ref, "generate")] == [0]
    assert len(canonical_state(database_url, "digits")["artifacts"]) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda commit: replace(commit, parent="elsewhere"),
        lambda commit: replace(
            commit,
            bundle=replace(
                commit.bundle, version=VersionRow("m", "elsewhere", "promoted", {}), members=()
            ),
        ),
    ],
)
def test_a_commit_that_does_not_continue_the_head_is_refused(
    lineage: Lineage, opened: IterationRecord, spoil: Callable[[IterationCommit], IterationCommit]
) -> None:
    with pytest.raises(ConflictError, match=ROOT):
        lineage.store.commit_iteration(spoil(make_commit(opened)))
    assert lineage.store.campaign("digits").iterations == 0


def test_no_second_child_of_a_version_can_be_committed_even_around_our_code(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    lineage.store.commit_iteration(make_commit(opened))
    engine = create_engine(database_url)
    sibling = text(
        "INSERT INTO activesynth.dataset_versions (campaign, digest, epoch, parent, origin, rows) "
        f"VALUES ('digits', 'sibling', 1, '{ROOT}', 'refresh', '{{}}')"
    )

    with pytest.raises(Exception, match="dataset_versions_linear_idx"), engine.begin() as sql:
        sql.execute(sibling)
    engine.dispose()


def test_a_connection_cut_before_commit_is_passing_and_the_retry_commits(
    database_url: str, postgres_server: PostgresServer
) -> None:
    name = make_url(database_url).database
    effects = Interference()
    lineage = open_lineage(database_url, effects)
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    effects.act = lambda: postgres_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    effects.label = "commit_iteration"

    with pytest.raises(TransientError, match="did not answer"):
        lineage.store.commit_iteration(make_commit(opened))
    assert lineage.store.iteration(opened.ref).state == "open"
    assert lineage.store.commit_iteration(make_commit(opened))
    lineage.close()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="asy-"))
    yield folder
    shutil.rmtree(folder)


def test_a_commit_whose_answer_was_lost_is_looked_up_and_found_done(
    database_url: str, postgres_server: PostgresServer, short_folder: Path
) -> None:
    effects = Interference()
    through = database_url.replace(str(postgres_server.sockets), str(short_folder))
    with LossyProxy(postgres_server.sockets, short_folder) as proxy:
        lineage = open_lineage(through, effects)
        lineage.store.register_campaign("digits", {})
        effects.act, effects.label = proxy.arm, "commit_version"
        root = lineage.store.commit_version("digits", make_root(), expected_head=None)
        opened = lineage.store.open_iteration("digits", "run-0", {})
        effects.label = "commit_iteration"
        done = lineage.store.commit_iteration(make_commit(opened))
        again = lineage.store.commit_iteration(make_commit(opened))
        lineage.close()

    assert proxy.lost == 2
    assert (root, done, again) == (True, True, False)


def test_equal_work_gives_equal_states_whatever_died_in_between(
    lineage: Lineage, database_url: str, postgres_server: PostgresServer, migrated_template: str
) -> None:
    def run(lineage: Lineage, *, is_disturbed: bool) -> None:
        make_campaign(lineage.store)
        opened = lineage.store.open_iteration("digits", "run-0", {})
        if is_disturbed:
            lineage.store.record_step(opened.ref, make_step(seconds=99.0, host="elsewhere"))
            lineage.store.fail_iteration(opened.ref, "killed")
            opened = lineage.store.open_iteration("digits", "another-run", {})
        lineage.store.record_step(opened.ref, make_step(is_reused=is_disturbed))
        lineage.store.commit_iteration(make_commit(opened))
        if is_disturbed:
            lineage.store.commit_iteration(make_commit(opened, next_run=None))
        lineage.store.mark_sent("digits:0")

    other_url = postgres_server.url(postgres_server.create_database(migrated_template))
    other = open_lineage(other_url, Interference())
    run(lineage, is_disturbed=False)
    run(other, is_disturbed=True)

    undisturbed = canonical_state(database_url, "digits")
    assert canonical_state(other_url, "digits") == undisturbed
    assert undisturbed["outbox"][0]["is_sent"]
    different = Bundle(
        version=VersionRow("next", "manifest-0", "refresh", {}),
        samples=(SampleRow("new", "real", "s", 0, 1),),
    )
    other.store.commit_version("digits", different, expected_head="manifest-0")
    other.close()
    assert canonical_state(other_url, "digits") != undisturbed
