"""What is said of inputs that are used all the same."""


class InputWarning(UserWarning):
    """Something about an input that its owner should know: repaired, converted, resampled, guessed."""
