"""The corruption suite: severities, families, and which families a campaign has trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SEVERITIES = (0.2, 0.4, 0.6, 0.8, 1.0)
"""The five severities at which robustness is reported."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "noise": ("noise", "shot", "impulse"),
    "blur": ("blur", "motion_blur", "zoom_blur"),
    "geometry": ("rotation", "elastic"),
    "occlusion": ("occlusion",),
    "light": ("shadow", "contrast", "brightness", "fog"),
    "digital": ("pixelate", "jpeg"),
}
"""Kinds that hurt in the same way stand together, so that training on one may help the others."""


def known_and_unknown_families(trained: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide the families by whether a campaign trained on any of their kinds.

    Robustness on unknown families says whether a model learnt more than what it was shown.

    Args:
        trained: Kinds of corruption that entered training. A kind of another package belongs to
            no family here and makes none known.

    Returns:
        Names of known and of unknown families, each in the order of :data:`FAMILIES`; together
        they are all families.
    """
    seen = set(trained)
    known = tuple(name for name, kinds in FAMILIES.items() if seen.intersection(kinds))
    return known, tuple(name for name in FAMILIES if name not in known)
