"""Array types with their shapes, for signatures. Checked at run time only under pytest.

Axis names: N points or samples, D spatial dimensions, C channels, V voxels, K taps of a kernel, P parameters.
Points are ordered (x, y, z); volumes are tensors (z, y, x). A variable's name carries the frame:
`world_points` are millimetres in ITK's LPS frame, `index_points` are continuous voxel indices.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Points = Float[Tensor, "N D"]
"""N points, coordinates ordered x, y(, z)."""

Volume = Float[Tensor, "*spatial"]
"""A scalar image, axes (z, )y, x."""

FeatureVolume = Float[Tensor, "C *spatial"]
"""A feature map, channels first, axes (z, )y, x."""

Features = Float[Tensor, "N C"]
"""Features of N samples."""

Homogeneous = Float[Tensor, "D1 D1"]
"""A homogeneous matrix, (D + 1, D + 1), acting on column vectors ordered x, y(, z), 1."""

Indices = Int[Tensor, "N K"]
Weights = Float[Tensor, "N K"]
Weights1 = Float[Tensor, "N"]
"""One weight per sample."""

Flags = Bool[Tensor, "N"]
Scalar = Float[Tensor, ""]
Vector = Float[Tensor, "P"]

__all__ = [
    "FeatureVolume",
    "Features",
    "Flags",
    "Homogeneous",
    "Indices",
    "Points",
    "Scalar",
    "Vector",
    "Volume",
    "Weights",
    "Weights1",
]
