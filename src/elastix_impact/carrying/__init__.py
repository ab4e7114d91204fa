"""`carrying`: labels and points of one image, carried to the other by the result of a run.

Depends on transforms and io; runs depends on it.
"""
