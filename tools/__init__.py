"""Programs for the makers of this project."""
