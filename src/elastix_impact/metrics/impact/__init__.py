"""`metrics.impact`: the IMPACT metric: distances between feature maps of a pretrained network
(Boussot et al., arXiv 2503.24121).

Depends on transforms, zoo and geometry.
"""
