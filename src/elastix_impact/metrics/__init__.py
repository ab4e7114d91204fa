"""`metrics`: how well two images match at sampled points.

Depends on transforms, zoo and geometry; registration depends on it.
"""
