"""Read one YAML file strictly: what cannot be read as it was meant is refused, and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from activesynth.errors import ConfigurationError

MAX_BYTES = 1 << 20
MAX_EXPANDED = 1 << 20


def read_yaml(path: Path) -> Any:
    """Return the document in a file.

    Raises:
        FileNotFoundError: If there is no such file; the caller knows which there are.
        ConfigurationError: If it cannot be read, is no text in UTF-8 or no YAML, or gives a key
            twice.
    """
    try:
        text = _text(path)
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: not text in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8.",
            reason="not_utf8",
            field="file",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}; put a readable file there.",
            reason="unreadable_file",
            field="file",
        ) from error
    try:
        return _document(text)
    except _TwiceError as error:
        raise ConfigurationError(
            f"{path}: not readable as YAML: {error}", reason="duplicate_key", field=error.key
        ) from error
    except _TooLargeError as error:
        raise ConfigurationError(
            f"{path}: {error}", reason="too_large_file", field="file"
        ) from error
    # A date such as 2026-02-30 is a ValueError, brackets a thousand deep a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{path}: not readable as YAML: {error}", reason="not_yaml", field="file"
        ) from error


def _text(path: Path) -> str:
    """Return the text of a file that is not too large to be a campaign."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ConfigurationError(
            f"{path}: cannot be read: it is a device; put an ordinary file there.",
            reason="unreadable_file",
            field="file",
        )
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigurationError(
            f"{path}: larger than {MAX_BYTES} bytes, which no campaign is; is it the right file?",
            reason="too_large_file",
            field="file",
        )
    return data.decode("utf-8")


def _document(text: str) -> Any:
    loader = _StrictLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _expanded(node, {}) > MAX_EXPANDED:
            raise _TooLargeError(
                f"its aliases (`*name`) repeat each other to more than {MAX_EXPANDED} characters; "
                "write the values out."
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _expanded(node: yaml.Node, known: dict[int, float]) -> float:
    """Return how long the document would be with all aliases written out."""
    if id(node) not in known:
        known[id(node)] = float("inf")  # a node within itself has no end
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            parts = node.value
        elif isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        known[id(node)] = 1 + own + sum(_expanded(part, known) for part in parts)
    return known[id(node)]


class _TwiceError(yaml.MarkedYAMLError):
    """A key is given twice."""

    key = ""


class _TooLargeError(ValueError):
    """A document that would grow without measure."""


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
                twice = _TwiceError(
                    problem=f"the key {key.value!r} is given twice; keep one of them",
                    problem_mark=key.start_mark,
                )
                twice.key = str(key.value)
                raise twice
            seen.add((key.tag, key.value))
        return node
