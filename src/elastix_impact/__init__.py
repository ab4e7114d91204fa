"""elastix-impact: medical image registration by what a pretrained network sees in the images."""

from ._version import __version__

__all__ = ["__version__"]
