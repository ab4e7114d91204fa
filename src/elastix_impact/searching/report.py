"""What a search found, for logs and records."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, final

Word = Literal["unique", "ambiguous", "header kept"]


@final
@dataclass(frozen=True)
class FoundPose:
    """A pose relative to how the images lie by their headers.

    Attributes
    ----------
    angle
        Of its rotation, in degrees.
    rotation_vector
        Axis times angle in degrees; in 2-D one number.
    translation
        In mm, of the middle of what the fixed image saw.
    score
        How well the images agree there, -1 to 1: the correlation of MIND where both see.
    """

    angle: float
    rotation_vector: tuple[float, ...]
    translation: tuple[float, ...]
    score: float


@final
@dataclass(frozen=True)
class SearchReport:
    """Where a registration starts, and how sure that is.

    Attributes
    ----------
    word
        ``"unique"``: another pose than the headers' was found, and no third one comes close. ``"header kept"``: none
        beats the headers' pose clearly. ``"ambiguous"``: the runner-up does about as well as the start.
    start
        The pose that was taken.
    header_kept
        Whether it is that of the headers.
    header
        The headers' pose, None if the images hardly overlap there.
    runner_up
        The best pose that differs clearly from the start, None if none was found.
    lead
        By how much the start's score exceeds the runner-up's at the places seen at both; None without a runner-up.
    overlap
        Share of the smaller image that both see at the start.
    rotations
        How many were tried.
    voxel_size
        Of the search, in mm.
    """

    word: Word
    start: FoundPose
    header_kept: bool
    header: FoundPose | None
    runner_up: FoundPose | None
    lead: float | None
    overlap: float
    rotations: int
    voxel_size: float

    def to_json(self) -> dict[str, Any]:
        """All of it as plain dictionaries."""
        return asdict(self) | {"sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        header = "lets the images hardly overlap" if self.header is None else f"has {self.header.score:.2f}"
        if self.header_kept:
            text = f"the headers' pose {header} and is kept; none of {self.rotations} turns is clearly better"
            return f"Feature search: {text}. {self._certificate}"
        moved = ", ".join(f"{value:.0f}" for value in self.start.translation)
        pose = f"turned by {self.start.angle:.0f} degrees and moved by ({moved}) mm"
        text = f"{pose} the images agree by {self.start.score:.2f}"
        return f"Feature search: {text}; the headers' pose {header}. {self._certificate}"

    @property
    def _certificate(self) -> str:
        if self.runner_up is None or self.lead is None:
            return "No other pose was found: unique."
        other = f"{self.runner_up.angle:.0f} degrees from the headers' pose, agreement {self.runner_up.score:.2f}"
        if self.word == "ambiguous":
            return (
                f"Ambiguous: another pose does about as well ({other}; {self.lead:+.2f} at equal overlap). Look at the "
                "result, or give an initial transform."
            )
        return f"The next best pose is worse by {self.lead:.2f} at equal overlap ({other}): unique."
