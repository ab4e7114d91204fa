"""`optimizers`: steps from a gradient to better parameters, and the estimation of step sizes.

Depends on transforms (their Jacobians); registration depends on it.
"""
