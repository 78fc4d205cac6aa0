"""The composition root: settings in, a platform of real adapters out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from activesynth.annotation.registry import ANNOTATORS
from activesynth.arms.registry import ARMS
from activesynth.config.redaction import guard, scrub
from activesynth.config.settings import Settings
from activesynth.datasets.registry import SOURCES
from activesynth.domain.effects import Effects, Unwatched
from activesynth.domain.platform import Platform, Report, unheard
from activesynth.domain.registry import Catalog
from activesynth.domain.work import lay_down
from activesynth.errors import ConfigurationError
from activesynth.evaluation.registry import METRICS
from activesynth.generation.registry import GENERATORS
from activesynth.index.faiss_index import FaissIndex
from activesynth.lineage.lineage import open_lineage
from activesynth.modalities.registry import MODALITIES
from activesynth.models.registry import TRAINERS
from activesynth.nn.device_choice import fix_device, present_device
from activesynth.nn.memory import lack_of_memory
from activesynth.nn.numerics import fix_threads, numerics_profile
from activesynth.operations.event_transport import open_sink
from activesynth.perturbations.registry import CORRUPTIONS
from activesynth.storage.erased import ErasureAwareStore
from activesynth.storage.opening import open_store
from activesynth.targeting.registry import STRATEGIES


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)


def catalog() -> Catalog:
    """Return all built-in parts joined with those of installed packages."""
    return Catalog(
        {
            "trainer": TRAINERS,
            "generator": GENERATORS,
            "corruption": CORRUPTIONS,
            "strategy": STRATEGIES,
            "metric": METRICS,
            "arm": ARMS,
            "annotator": ANNOTATORS,
            "source": SOURCES,
            "modality": MODALITIES,
        }
    )


@contextmanager
def open_platform(
    settings: Settings | None = None,
    *,
    report: Report = unheard,
    effects: Effects | None = None,
) -> Iterator[Platform]:
    """Connect everything a step needs, and let go of it at the end.

    Threads and device are those of the whole process, and stay as set. Secrets are hidden in the
    process's log records from here on, and in what is raised inside of the block.

    Args:
        settings: Where to run; read from the environment when not given.
        report: Told how far long work is.
        effects: Watches external effects, in tests.

    Raises:
        ConfigurationError: If no database is named.
        TransientError: If the database or the object store does not answer.
    """
    guard(settings)
    try:
        settings = settings or Settings.read()
        guard(settings)
        with _opened(settings, report, effects or Unwatched()) as platform:
            yield platform
    except Exception as error:
        scrub(error)
        lack = lack_of_memory(error, "this process")
        if lack is None:
            raise
        raise lack from error
    finally:
        lay_down()


@contextmanager
def _opened(settings: Settings, report: Report, watch: Effects) -> Iterator[Platform]:
    if settings.database_url is None:
        raise ConfigurationError(
            "ACTIVESYNTH_DATABASE_URL is not set; start the embedded platform with "
            "`activesynth up`, or name your own Postgres.",
            reason="missing_setting",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    fix_threads(settings.threads)
    fix_device(settings.device)
    with closing(open_lineage(settings.database_url.get_secret_value(), watch)) as lineage:
        yield Platform(
            objects=ErasureAwareStore(
                open_store(settings, watch, lambda digest: lineage.store.hold([digest])),
                lineage.store.erased_blob,
            ),
            lineage=lineage.store,
            queue=lineage.queue,
            reader=lineage.reader,
            index=FaissIndex(),
            parts=catalog(),
            sink=open_sink(settings),
            clock=SystemClock(),
            profile=numerics_profile(),
            device=present_device(),
            effects=watch,
            report=report,
        )
