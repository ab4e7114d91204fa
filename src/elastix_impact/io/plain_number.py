"""Numbers in files, as programs in C++ read them."""


def plain_number(word: str) -> float:
    """The number that a word is; Python's own `float` also takes 1_000 and the digits of other scripts.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not word.isascii() or "_" in word:
        raise ValueError(f"could not convert string to float: {word!r}")
    return float(word)
