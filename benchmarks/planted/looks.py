"""Looks of their own that some rows are given: negatives, and a site whose camera hangs wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from activesynth.domain.canonical import Array
from benchmarks.planted.data import Pictures

ATTRIBUTE = "site"
SITES = ("north", "east", "south", "west")
SITE_SHARE = 0.1
"""Share of the pictures that come from the planted site; the other three share the rest."""


def negatives(pictures: Pictures, planted: Array) -> Pictures:
    """Return the pictures with the ``planted`` ones, ``(n,)`` bool, as negatives."""
    inverted = 255 - pictures.x
    return replace(pictures, x=np.where(planted[:, None, None, None], inverted, pictures.x))


def upside_down(pictures: Pictures, planted: Array) -> Pictures:
    """Return the pictures with the ``planted`` ones, ``(n,)`` bool, turned by 180 degrees."""
    turned = pictures.x[:, ::-1, ::-1]
    return replace(pictures, x=np.where(planted[:, None, None, None], turned, pictures.x))


def planted_site(seed: int) -> str:
    """Return the name of the site that a seed plants in."""
    return SITES[seed % len(SITES)]


def sites(rows: int, seed: int, share: float = SITE_SHARE) -> tuple[Array, Array]:
    """Return the site of each row, ``(rows,)`` unicode, and whether it is the planted one."""
    name = planted_site(seed)
    odds = [share if site == name else (1.0 - share) / (len(SITES) - 1) for site in SITES]
    site = np.random.default_rng([seed, 5]).choice(SITES, rows, p=odds)
    return site, site == name
