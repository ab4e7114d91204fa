"""Constants that are made once serve loops with gradients, whatever asked for them first."""

import torch

from elastix_impact.transforms.linear import constant, rotation_2d


def test_a_constant_made_under_inference_mode_serves_gradients() -> None:
    constant.cache_clear()
    angle = torch.tensor(0.3, dtype=torch.float64)
    with torch.inference_mode():
        rotation_2d(angle)
    leaf = angle.clone().requires_grad_()
    (slope,) = torch.autograd.grad(rotation_2d(leaf)[1, 0], leaf)
    torch.testing.assert_close(slope, angle.cos())
