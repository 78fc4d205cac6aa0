"""Typed access to content-addressed blobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from activesynth.domain.canonical import (
    Array,
    Tensors,
    canonical_json,
    decode_arrays,
    decode_tensors,
    encode_arrays,
    encode_tensors,
    tensors_digest,
)
from activesynth.domain.documents import Document, ModelCard
from activesynth.domain.exchange import State
from activesynth.domain.ports import ObjectStore
from activesynth.domain.samples import SampleSet

D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Encodes values into blobs and back; the store verifies every digest before decoding."""

    objects: ObjectStore

    def put_json(self, value: Any) -> str:
        """Store a JSON value."""
        return self.objects.put(canonical_json(value))

    def json(self, digest: str) -> Any:
        """Read a JSON value."""
        return json.loads(self.objects.get(digest))

    def put_arrays(self, arrays: Tensors) -> str:
        """Store named arrays."""
        return self.objects.put(encode_arrays(arrays))

    def arrays(self, digest: str) -> dict[str, Array]:
        """Read named arrays."""
        return decode_arrays(self.objects.get(digest))

    def put_samples(self, samples: SampleSet) -> str:
        """Store rows."""
        return self.objects.put(samples.encode())

    def samples(self, digest: str) -> SampleSet:
        """Read rows."""
        return SampleSet.decode(self.objects.get(digest))

    def put_document(self, document: Document) -> str:
        """Store a document; its digest is its address."""
        return self.objects.put(document.encode())

    def document(self, digest: str, kind: type[D]) -> D:
        """Read a document."""
        return kind.decode(self.objects.get(digest))

    def tensors(self, digest: str) -> dict[str, Array]:
        """Read tensors."""
        return decode_tensors(self.objects.get(digest))

    def put_model(
        self, state: State, *, part: str, role: str, parameters: dict[str, Any]
    ) -> tuple[str, str]:
        """Store a fitted part; return the digests of its card and of its tensors."""
        blob = self.objects.put(encode_tensors(state.tensors))
        card = ModelCard(
            part=part,
            role=role,
            parameters=parameters,
            tensors=blob,
            tensors_digest=tensors_digest(state.tensors),
            facts=dict(state.facts),
        )
        return self.put_document(card), blob
