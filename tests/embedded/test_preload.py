from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import activesynth
from activesynth.embedded.preload import LOCAL_SETTINGS

_COMPUTE_IN_A_FORK = """
import os
if os.fork() == 0:
    import numpy, torch
    from sklearn.cluster import KMeans
    torch.nn.functional.conv2d(torch.ones(1, 1, 64, 64), torch.ones(8, 1, 3, 3)).sum()
    KMeans(3, n_init=1).fit(numpy.random.default_rng(0).normal(size=(500, 8)))
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def _run(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "airflow_local_settings.py").write_text(LOCAL_SETTINGS)
    source = Path(activesynth.__path__[0]).parent
    path = f"{source}{os.pathsep}{folder}"
    return subprocess.run(
        [sys.executable, "-c", f"import airflow_local_settings, sys\n{code}", *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_task_forked_from_a_scheduler_that_imported_everything_can_compute(
    tmp_path: Path,
) -> None:
    done = _run(_COMPUTE_IN_A_FORK, "scheduler", folder=tmp_path)

    assert done.returncode == 0, done.stderr


def test_only_the_scheduler_imports_the_heavy_libraries(tmp_path: Path) -> None:
    heavy = "print(sorted({'torch', 'diffusers', 'sklearn', 'scipy'} & set(sys.modules)))"

    scheduler = _run(heavy, "scheduler", folder=tmp_path)
    triggerer = _run(heavy, "triggerer", folder=tmp_path)

    assert scheduler.stdout.strip() == "['diffusers', 'scipy', 'sklearn', 'torch']"
    assert triggerer.stdout.strip() == "[]"
