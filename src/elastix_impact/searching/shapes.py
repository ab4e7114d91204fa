"""Arrays of K volumes at once, with their shapes."""

from jaxtyping import Float
from torch import Tensor

Volumes = Float[Tensor, "K *spatial"]
"""K scalar volumes, axes (z, )y, x."""

FeatureVolumes = Float[Tensor, "K C *spatial"]
"""K feature maps."""

Features = Float[Tensor, "C *spatial"]
"""One feature map."""
