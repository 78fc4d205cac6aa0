from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.nn.blocks import Classifier, ConvolutionalEncoder, DropoutHead
from activesynth.nn.tensors import build

CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_classifier() -> Classifier:
    return build(
        lambda: Classifier(ConvolutionalEncoder(1, (8, 8), 8), 16, 10, 0.5), CPU, seeded()
    ).eval()


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(8, 64),
    width=st.integers(8, 64),
    channels=st.sampled_from([1, 3]),
    base=st.sampled_from([4, 6, 8]),
)
def test_the_encoder_takes_every_size(height: int, width: int, channels: int, base: int) -> None:
    encoder = build(lambda: ConvolutionalEncoder(channels, (height, width), base), CPU, seeded())
    features = encoder(torch.rand(2, channels, height, width))

    assert features.shape == (2, 4 * base)
    assert torch.isfinite(features).all()
    assert not torch.equal(features[0], features[1])


def test_an_image_does_not_notice_its_neighbours() -> None:
    network = make_classifier()
    images = torch.rand(4, 1, 8, 8, generator=seeded())
    others = torch.cat([images[:1], torch.rand(3, 1, 8, 8, generator=seeded(5))])

    assert torch.equal(network(images)[0], network(others)[0])


def test_stacked_passes_equal_whole_passes_under_the_same_masks() -> None:
    network = make_classifier()
    images = torch.rand(5, 1, 8, 8, generator=seeded())
    masks = network.head.masks(7, seeded(1))

    stacked = network.head.passes(network.trunk(images), masks)

    whole = torch.stack([network(images, mask.expand(5, -1)) for mask in masks])
    torch.testing.assert_close(stacked, whole, rtol=1e-5, atol=1e-5)


def test_masks_keep_as_many_units_as_dropout_leaves() -> None:
    head = DropoutHead(4, 100, 2, dropout=0.3)

    masks = head.masks(200, seeded()).numpy()

    kept = (masks > 0).mean()
    spread = 4 * np.sqrt(0.3 * 0.7 / masks.size)
    assert abs(kept - 0.7) < spread
    np.testing.assert_allclose(masks[masks > 0], 1 / 0.7, rtol=1e-6)


def test_without_masks_nothing_is_dropped() -> None:
    network = make_classifier()
    images = torch.rand(3, 1, 8, 8, generator=seeded())

    assert torch.equal(network(images), network(images, torch.ones(3, 16)))
