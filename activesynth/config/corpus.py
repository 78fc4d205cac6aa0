"""What a generator of its own learns from: the strict model of a corpus file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from activesynth.config.campaign import Part, Section, source_by_address
from activesynth.config.named_file import parse_as
from activesynth.config.yaml_file import read_yaml
from activesynth.errors import ConfigurationError


class CorpusConfig(Section):
    """A generator, and the rows it is trained on apart from any campaign.

    ``licence`` is said by whoever writes the file and goes with every sample; ``near_duplicate``
    is the distance from which a row of a campaign counts as one of the corpus.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    description: str = ""
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    modality: str = "image"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    source: Annotated[Part, BeforeValidator(source_by_address)]
    rows: Annotated[int, Field(ge=50)] | None = None
    generator: Part = Part(name="diffusion")
    near_duplicate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02


def parse_corpus(document: Any, origin: str) -> CorpusConfig:
    """Check a parsed document; ``origin`` names it in messages.

    Raises:
        ConfigurationError: Naming every wrong field with its value and what it should be.
    """
    return parse_as(CorpusConfig, document, origin, "a corpus")


def read_corpus(path: Path) -> CorpusConfig:
    """Read and check a corpus file.

    Raises:
        ConfigurationError: If the file is missing, is no YAML, or is not a valid corpus.
    """
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        raise ConfigurationError(
            f"no corpus file {path}; give the path of a YAML file with name, licence and source.",
            reason="no_corpus_file",
            field="corpus",
        ) from None
    return parse_corpus(document, str(path))
