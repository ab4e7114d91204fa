"""The demo's case: complete, exact, anatomically plausible, and the same every time."""

from pathlib import Path

import pytest
import torch

from elastix_impact.io.images import read_image
from elastix_impact.io.points import read_points
from elastix_impact.phantoms.anatomy import body, chest, inverse_motion, motion, random_waves
from elastix_impact.phantoms.case import GRID, DemoCase, landmark_points, make_demo_case, parameter_map_text


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DemoCase:
    return make_demo_case(tmp_path_factory.mktemp("demo") / "Data")


def _units(*points: tuple[float, float, float]) -> list[float]:
    waves = random_waves(torch.Generator().manual_seed(0))
    return chest(torch.tensor(points, dtype=torch.float64), waves).tolist()


def test_tissues_have_their_hounsfield_units() -> None:
    air, lung, liver, vertebra, fat, aorta = _units(
        (0, -97, 0), (68, 0, 20), (-40, -6, -78), (0, 50, 2), (0, -75, 0), (14, 42, -60)
    )
    assert air == pytest.approx(-1000, abs=1)
    assert -950 < lung < -700
    assert 70 < liver < 150
    assert vertebra > 150
    assert -140 < fat < -50
    assert aorta > 150


def test_motion_is_smooth_small_and_does_not_fold() -> None:
    world_points = GRID.world_points()[::37].clone().requires_grad_()
    moved = motion(world_points)
    rows = [torch.autograd.grad(moved[:, k].sum(), world_points, retain_graph=True)[0] for k in range(3)]
    determinant = torch.linalg.det(torch.stack(rows, 1))
    assert determinant.min() > 0.5
    length = (moved - world_points).norm(dim=1)
    assert 9 < length.max() < 12


def test_the_inverse_undoes_the_motion() -> None:
    world_points = GRID.world_points()[::11]
    torch.testing.assert_close(motion(inverse_motion(world_points)), world_points, atol=1e-6, rtol=0)


def test_landmarks_lie_in_the_body_and_move_exactly(case: DemoCase) -> None:
    fixed, moving = read_points(case.fixed_points, GRID), read_points(case.moving_points, GRID)
    generator = torch.Generator().manual_seed(3)
    fixed_points = landmark_points(random_waves(generator), generator)
    assert fixed_points.shape == (100, 3)
    assert body(fixed_points).min() > 0.99
    assert torch.pdist(fixed_points).min() > 11.9
    assert case.fixed_points.read_text().splitlines()[:2] == ["point", "100"]
    torch.testing.assert_close(moving.world_points, motion(fixed.world_points), atol=1e-4, rtol=0)
    assert (moving.world_points - fixed.world_points).norm(dim=1).mean() > 4


def test_the_folder_is_complete(case: DemoCase) -> None:
    names = {str(path.relative_to(case.folder)) for path in case.folder.rglob("*") if path.is_file()}
    mind = {f"Models/MIND/R{r}D{d}_{n}D.pt" for r in (1, 2) for d in (1, 2) for n in (2, 3)}
    assert names == mind | {
        "FixedImage.mha",
        "MovingImage.mha",
        "Fixed_mask.mha",
        "Fixed_landmarks.txt",
        "Moving_landmarks.txt",
        "ParameterMap.txt",
    }


def test_images_lie_on_the_grid_and_differ_in_contrast(case: DemoCase) -> None:
    fixed, moving, mask = (read_image(path) for path in (case.fixed, case.moving, case.fixed_mask))
    assert fixed.grid.same_as(GRID)
    assert moving.grid.same_as(GRID)
    inside = mask.data > 0
    assert 0.4 < inside.float().mean() < 0.8
    pair = torch.stack([fixed.data[inside], moving.data[inside]]).double()
    assert abs(float(torch.corrcoef(pair)[0, 1])) < 0.6


def test_the_same_seed_gives_the_same_bytes(case: DemoCase, tmp_path: Path) -> None:
    again = make_demo_case(tmp_path)
    assert again.moving.read_bytes() == case.moving.read_bytes()
    assert again.fixed_points.read_text() == case.fixed_points.read_text()


def test_the_map_names_models_that_exist(case: DemoCase) -> None:
    lines = [line for line in parameter_map_text().splitlines() if line.startswith("(ImpactModelsPath")]
    paths = [line.split('"')[1] for line in lines]
    assert len(paths) == 3
    for path in paths:
        assert (case.folder / Path(path).relative_to("/Data")).is_file()
