"""`transforms`: maps from fixed to moving world points.

Depends on geometry; metrics, optimizers, io and all above may depend on it.
"""
