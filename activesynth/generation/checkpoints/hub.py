"""Where a checkpoint lies on this machine, fetched at a commit if it is named by a hub id."""

from __future__ import annotations

from pathlib import Path

from activesynth.config.settings import Settings
from activesynth.errors import ConfigurationError, TransientError
from activesynth.generation.checkpoints.allowed import NETWORKS
from activesynth.generation.checkpoints.parameters import DiffusersParameters

WANTED = [
    "model_index.json",
    "README.md",
    "scheduler/scheduler_config.json",
    "tokenizer/*.json",
    "tokenizer/merges.txt",
    *(f"{component}/*.json" for component in NETWORKS),
    *(f"{component}/{stem}*.safetensors" for component, stem in NETWORKS.items()),
]
UNWANTED = ["*/adapter_*", "*.fp16.*", "*.bf16.*", "*.non_ema.*", "*.non_ema-*"]


def locate(parameters: DiffusersParameters) -> Path:
    """Return the checkpoint's folder; of a hub id only JSON, safetensors and text are fetched.

    A relative ``path`` starts at the data folder, as a source's does. What is cached is not fetched
    again; ``HF_HUB_OFFLINE=1`` forbids asking, ``HF_HUB_CACHE`` says where the cache lies.

    Raises:
        ConfigurationError: If the hub has no such repository or commit, or does not let us read it.
        TransientError: If the hub does not answer and the commit is not cached.
    """
    if parameters.path is not None:
        return Settings.read().data / parameters.path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(
            snapshot_download(
                str(parameters.hub),
                revision=parameters.revision,
                allow_patterns=WANTED,
                ignore_patterns=UNWANTED,
            )
        )
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ConfigurationError(
            f"`hub` {parameters.hub!r} at revision {parameters.revision}: {error}; check both, and "
            "accept the repository's terms if it has any.",
            reason="bad_checkpoint",
            field="generator.parameters.hub",
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise TransientError(
            f"`hub` {parameters.hub!r} at revision {parameters.revision} is not cached and could "
            f"not be fetched: {error}; try again, or fetch it elsewhere and set `path`.",
            reason="no_download",
            field="generator.parameters.hub",
        ) from error
