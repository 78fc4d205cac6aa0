"""Import the heavy libraries once, in the process that forks tasks, so that they have them already.

Import only: one convolution, k-means or index search in the parent would leave its thread pools
in a state that hangs every forked child for ever.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import suppress

LIBRARIES = (
    "numpy",
    "scipy.stats",
    "scipy.ndimage",
    "sklearn.cluster",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.neighbors",
    "cleanlab.filter",
    "cleanlab.rank",
    "torch",
    "torch.optim.swa_utils",
    "diffusers.schedulers.scheduling_ddim",
    "diffusers.schedulers.scheduling_dpmsolver_multistep",
)
"""Ours are not among them: an edited step is seen by the next task, not by the next start."""

LOCAL_SETTINGS = '''\
"""Read by Airflow at its start; written by `activesynth up`, changes are lost."""

import sys

from activesynth.embedded.preload import preload

__all__: list[str] = []

preload(sys.argv)
'''
"""Text of ``airflow_local_settings.py``, which every Airflow process imports."""


def preload(arguments: Sequence[str], *, part: str = "scheduler") -> None:
    """Import the libraries if the command line is that of ``part``; a missing one is no fault.

    Args:
        arguments: The command line of this process.
        part: What forks the tasks: ``scheduler`` with the LocalExecutor, ``worker`` with Celery.
    """
    if part not in arguments:
        return
    for name in LIBRARIES:
        with suppress(ImportError):  # the task that needs it says so, with its own traceback
            importlib.import_module(name)
