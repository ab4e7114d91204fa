"""The plans of a case: which seed each stage has."""

from pathlib import Path

import pytest

from elastix_impact.runs.plans import plan_case
from small_map import map_text


@pytest.mark.parametrize(
    ("seed", "repetition", "expected"),
    [
        (None, 0, (121212, 9)),
        (None, 2, (121214, 11)),
        (5, 0, (5, 5)),
        (5, 1, (6, 6)),
        (2**32 - 1, 1, (0, 0)),
    ],
)
def test_a_repetition_has_further_seeds(
    seed: int | None, repetition: int, expected: tuple[int, ...], tmp_path: Path
) -> None:
    maps = tmp_path / "first.txt", tmp_path / "second.txt"
    maps[0].write_text(map_text())
    maps[1].write_text(map_text(RandomSeed="9", WriteFinalTransformParameters='"false"', WriteResultImage='"true"'))
    plan = plan_case(maps, seed, None, repetition=repetition)
    assert tuple(stage.random_seed for stage in plan.stages) == expected
    output = plan.stages[1].output
    assert (output.write_final_transform, output.write_result_image) == ((False, True), (True, False))[repetition > 0]
