from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from activesynth.nn.tensors import build
from activesynth.nn.transformer import (
    Attention,
    TransformerBlock,
    TransformerEncoder,
    sine_positions,
)

CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_encoder(size: tuple[int, int] = (8, 12), **changes: Any) -> TransformerEncoder:
    settings: dict[str, Any] = {
        "patch": 4,
        "width": 16,
        "depth": 2,
        "heads": 4,
        "mlp_ratio": 2.0,
        "pooling": "mean",
        "positions": "sincos",
    }
    return build(lambda: TransformerEncoder(3, size, **settings | changes), CPU, seeded())


@pytest.mark.parametrize("pooling", ["mean", "token"])
@pytest.mark.parametrize("positions", ["learnt", "sincos"])
def test_every_kind_of_encoder_notices_where_things_lie(pooling: str, positions: str) -> None:
    encoder = make_encoder(pooling=pooling, positions=positions)
    images = torch.rand(2, 3, 8, 12, generator=seeded())
    swapped = torch.cat([images[:, :, 4:], images[:, :, :4]], dim=2)

    features = encoder(images)

    assert features.shape == (2, 16)
    assert torch.isfinite(features).all()
    assert not torch.allclose(features, encoder(swapped), atol=1e-3)


def test_without_positions_the_mean_of_patches_would_not_notice_their_order() -> None:
    encoder = make_encoder(positions="learnt")
    assert encoder.positions is not None
    torch.nn.init.zeros_(encoder.positions)
    images = torch.rand(2, 3, 8, 12, generator=seeded())
    swapped = torch.cat([images[:, :, 4:], images[:, :, :4]], dim=2)

    torch.testing.assert_close(encoder(images), encoder(swapped), rtol=1e-4, atol=1e-4)


def test_an_image_does_not_notice_its_neighbours() -> None:
    encoder = make_encoder()
    images = torch.rand(4, 3, 8, 12, generator=seeded())
    others = torch.cat([images[:1], torch.rand(3, 3, 8, 12, generator=seeded(5))])

    assert torch.equal(encoder(images)[0], encoder(others)[0])


def test_attention_is_the_one_torch_has() -> None:
    ours = build(lambda: Attention(16, 4), CPU, seeded())
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.projections.weight)
        theirs.in_proj_bias.copy_(ours.projections.bias)
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    tokens = torch.rand(3, 5, 16, generator=seeded())

    expected, _ = theirs(tokens, tokens, tokens)

    torch.testing.assert_close(ours(tokens), expected, rtol=1e-4, atol=1e-5)


def test_each_place_has_its_own_position_of_equal_length() -> None:
    positions = sine_positions((5, 7), 16, CPU).numpy()

    assert positions.shape == (35, 16)
    assert len(np.unique(positions.round(4), axis=0)) == 35
    np.testing.assert_allclose((positions**2).sum(axis=1), 8.0, rtol=1e-5)


def test_a_block_starts_near_the_identity() -> None:
    block = build(lambda: TransformerBlock(16, 4, 32), CPU, seeded())
    tokens = torch.rand(3, 5, 16, generator=seeded())

    changed = (block(tokens) - tokens).square().mean() / tokens.square().mean()
    assert 0 < changed < 0.25


def test_every_part_of_the_encoder_is_learnt() -> None:
    encoder = make_encoder(pooling="token", positions="learnt")

    encoder(torch.rand(4, 3, 8, 12, generator=seeded())).square().sum().backward()

    idle = [
        name
        for name, weight in encoder.named_parameters()
        if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert idle == []
