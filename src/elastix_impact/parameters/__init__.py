"""`parameters`: text -> plan: grammar, catalogue, and the complete, frozen RegistrationPlan.

Depends on the standard library and errors only; numeric rooms never import it.
"""
