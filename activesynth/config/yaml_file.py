"""Read one YAML file strictly: what cannot be read as it was meant is refused, and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from activesynth.errors import ConfigurationError


def read_yaml(path: Path) -> Any:
    """Return the document in a file.

    Raises:
        FileNotFoundError: If there is no such file; the caller knows which there are.
        ConfigurationError: If it cannot be read, is no text in UTF-8 or no YAML, or gives a key
            twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: not text in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}; put a readable file there."
        ) from error
    try:
        return yaml.load(text, _StrictLoader)  # noqa: S506 - it is a SafeLoader
    # A date such as 2026-02-30 is a ValueError, brackets a thousand deep a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not readable as YAML: {error}") from error


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key given twice, of which YAML would silently keep the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping and compare its keys, before merge keys (``<<``) are filled in."""
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} is given twice; keep one of them",
                    problem_mark=key.start_mark,
                )
            seen.add((key.tag, key.value))
        return node
