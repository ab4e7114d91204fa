"""The parts of `resolve`: each reads its parameters and fills in its part of the plan."""
