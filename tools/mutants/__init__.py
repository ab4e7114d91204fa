"""How many small faults, planted one at a time, the tests see: `make mutants`, see docs/extending.md."""
