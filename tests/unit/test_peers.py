"""The judge, the table and the cache of `benchmarks.peers`; no rival is run."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers import __main__ as program
from benchmarks.peers import engines, judge, process, table
from benchmarks.peers.pairs import PAIRS, STANDARD, Pair, Truth
from benchmarks.peers.table import Result

SHIFT = np.array([2.0, -3.0, 5.0])


def _image(values: np.ndarray, path: Path) -> str:
    """An image that is turned, anisotropic and off the origin."""
    image = sitk.GetImageFromArray(values)
    turn = sitk.Euler3DTransform((0, 0, 0), 0.1, -0.2, 0.3).GetMatrix()
    image.SetDirection(turn)
    image.SetSpacing((1.0, 1.5, 2.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    sitk.WriteImage(image, str(path))
    return str(path)


def _grid(pair: Pair) -> judge.Grid:
    return judge.Grid.of(sitk.ReadImage(pair.fixed))


@pytest.fixture
def landmarks(tmp_path: Path) -> Pair:
    """A pair whose landmarks are `SHIFT` apart."""
    image = _image(np.zeros((12, 14, 16), np.float32), tmp_path / "image.mha")
    grid = judge.Grid.of(sitk.ReadImage(image))
    points = grid.points(np.random.default_rng(0).uniform(1, 10, (30, 3)))
    files = []
    for name, places in (("fixed", points), ("moving", points + SHIFT)):
        files.append(str(tmp_path / f"{name}.txt"))
        np.savetxt(files[-1], places, header="point\n30", comments="")
    return Pair(image, image, Truth("points", tuple(files), "mm"))


def test_a_known_shift_leaves_no_landmark_error(landmarks):
    none = judge.no_displacement(landmarks)
    assert judge.score(landmarks, none).value == pytest.approx(np.linalg.norm(SHIFT), abs=1e-5)
    found = judge.score(landmarks, none + SHIFT.astype(np.float32))
    assert found.value == pytest.approx(0, abs=1e-5)
    assert found.folded == 0


def test_a_field_that_is_not_on_the_grid_is_refused(landmarks):
    with pytest.raises(ValueError, match="finite field of shape"):
        judge.score(landmarks, np.zeros((3, 3, 3, 3), np.float32))
    with pytest.raises(ValueError, match="finite field of shape"):
        judge.score(landmarks, np.full_like(judge.no_displacement(landmarks), np.nan))


def test_a_linear_field_is_read_between_voxels_as_well(landmarks):
    grid = _grid(landmarks)
    matrix = np.array([[0.1, 0.02, 0.0], [0.0, -0.1, 0.03], [0.05, 0.0, 0.1]])
    indices = np.indices(grid.size[::-1]).reshape(3, -1)[::-1].T
    field = (grid.points(indices) @ matrix.T).reshape(*grid.size[::-1], 3)
    points = grid.points(np.array([[3.2, 4.7, 5.1], [7.9, 2.2, 1.4]]))
    assert judge.moved(field, grid, points) == pytest.approx(points + points @ matrix.T, abs=1e-4)


def test_the_folded_share_is_that_of_the_body(landmarks):
    grid = _grid(landmarks)
    along = np.arange(16.0)
    steps = np.where(along < 8, -2.5 * along, -2.5 * 8)  # determinant -1.5 in the left half, 1 in the right one
    field = steps[None, None, :, None] * grid.matrix[:, 0] * np.ones((12, 14, 1, 1))
    everywhere, left = np.ones((12, 14, 16), bool), np.zeros((12, 14, 16), bool)
    left[..., :7] = True
    assert judge.folded_share(field, grid, left) == 1
    # central differences also see the step half: at index 8 the slope is -1.25
    assert judge.folded_share(field, grid, everywhere) == pytest.approx(9 / 16)


def test_labels_that_are_carried_onto_themselves_overlap_completely(tmp_path):
    names = np.zeros((12, 14, 16), np.uint8)
    names[3:6, 3:6, 3:6], names[3:6, 8:10, 3:6], names[0, 0, 0] = 1, 2, 7
    there = np.roll(names, 2, axis=2)
    there[there == 7] = 0
    fixed, moving = _image(names, tmp_path / "fixed.mha"), _image(there, tmp_path / "moving.mha")
    pair = Pair(fixed, moving, Truth("labels", (fixed, moving), "Dice"))
    before, after = (
        judge.score(pair, judge.no_displacement(pair) + step)
        for step in (0, 2 * _grid(pair).matrix[:, 0].astype(np.float32))
    )
    assert before.parts == pytest.approx({"1": 1 / 3, "2": 1 / 3})
    assert after.parts == {"1": 1, "2": 1}


def test_a_reference_is_compared_over_its_region(landmarks, tmp_path):
    truth, there = tmp_path / "truth.tfm", tmp_path / "there.tfm"
    sitk.WriteTransform(sitk.TranslationTransform(3, SHIFT.tolist()), str(truth))
    sitk.WriteTransform(sitk.TranslationTransform(3, (1.0, 0.0, 0.0)), str(there))
    mask = np.zeros((12, 14, 16), np.uint8)
    mask[4:8, 4:8, 4:12] = 1
    region = (_image(mask, tmp_path / "mask.mha"), str(there))
    pair = dataclasses.replace(landmarks, truth=Truth("reference", (str(truth),), "mm", region))
    none = judge.no_displacement(pair)
    assert judge.score(pair, none).value == pytest.approx(np.linalg.norm(SHIFT), abs=1e-5)
    assert judge.score(pair, none + SHIFT.astype(np.float32)).value == pytest.approx(0, abs=1e-5)


def test_landmarks_of_pictures_are_pixels(tmp_path):
    image = sitk.GetImageFromArray(np.zeros((20, 30), np.uint8))
    image.SetSpacing((0.5, 0.5))
    picture = str(tmp_path / "picture.mha")
    sitk.WriteImage(image, picture)
    for name, shift, extra in (("fixed", 0, ""), ("moving", 3, "9,9,9\n")):
        (tmp_path / f"{name}.csv").write_text(f",X,Y\n1,{4 + shift},5\n2,{20 + shift},9\n{extra}")
    files = (str(tmp_path / "fixed.csv"), str(tmp_path / "moving.csv"))
    pair = Pair(picture, picture, Truth("points", files, "px"))
    none = judge.no_displacement(pair)
    assert judge.score(pair, none).value == pytest.approx(3)
    assert judge.score(pair, none + np.array([1.5, 0], np.float32)).value == pytest.approx(0)


def test_the_table_says_what_is_best_and_why_something_is_missing():
    def result(engine, seed, after, **more):
        return Result(
            "brain", engine, seed, 1, "1.0", "Dice", 0.309, after, {}, 0.001, 10.0 * seed, 20.0, 500.0, **more
        )

    nothing = Result("brain", "ants", 1, 1, "", "Dice", 0.309, reason="no wheel")
    text = table.markdown([result("ours", 1, 0.8), result("ours", 2, 0.82), result("greedy", 1, 0.79), nothing])
    assert "| brain | ours | 0.309 | **0.810** Dice (0.014, 2 seeds) | 0.10% | 15 | 20 | 500 |" in text
    assert "| brain | greedy | 0.309 | 0.790 Dice | 0.10% | 10 | 20 | 500 |" in text
    assert "| brain | ants | 0.309 | - | - | - | - | - |" in text
    assert "- brain, ants, seed 1: no wheel" in text
    near = [Result("kidney", e, 1, 1, "1", "px", 28, a, {}, 0, 1, 1, 1) for e, a in (("ours", 7.5), ("greedy", 7.3))]
    assert "**7.30** px" in table.markdown(near)


def test_a_process_is_measured_and_its_last_word_is_kept(tmp_path):
    burn = "sum(i for i in range(3_000_000)); b = bytearray(200_000_000)"
    cost = process.measured([sys.executable, "-c", burn], tmp_path / "log.txt", threads=1, limit=60)
    assert 0.05 < cost.cpu_s < 60
    assert 190 < cost.peak_mib < 400
    assert cost + process.Cost(1, 2, 3) == process.Cost(cost.cpu_s + 1, cost.wall_s + 2, cost.peak_mib)
    process.measured([sys.executable, "-c", "open('left behind', 'w')"], tmp_path / "log.txt", threads=1, limit=60)
    assert (tmp_path / "left behind").exists()
    with pytest.raises(process.FailedError, match=r"exit 1 after 0 CPU s: no images"):
        process.measured([sys.executable, "-c", "raise SystemExit('no images')"], tmp_path / "log.txt", 1, 60)
    with pytest.raises(process.FailedError, match="exit -24 after"):
        process.measured([sys.executable, "-c", "while True: pass"], tmp_path / "log.txt", threads=1, limit=1)


def test_rivals_of_volumes_say_that_they_do_no_pictures_and_no_rigid_registration(tmp_path):
    settings = engines.Settings(1, 1, "default", 60, tmp_path)
    picture = str(tmp_path / "picture.mha")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((20, 30), np.float32)), picture)
    pair = Pair(picture, picture, Truth("points", (), "px"))
    with pytest.raises(process.FailedError, match="3-D images only"):
        engines.register("convexadam", pair, settings, tmp_path / "work")
    volume = _image(np.zeros((4, 4, 4), np.float32), tmp_path / "volume.mha")
    rigid = Pair(volume, volume, Truth("points", (), "mm"), rigid=True)
    with pytest.raises(process.FailedError, match="no rigid registration"):
        engines.register("convexadam", rigid, settings, tmp_path / "work")


def test_a_result_is_kept_and_not_run_again(landmarks, tmp_path, monkeypatch, capsys):
    runs = []

    def register(engine, pair, settings, folder):
        runs.append((engine, settings.seed))
        if engine == "greedy":
            raise process.FailedError("no wheel")
        folder.mkdir(parents=True)
        field = sitk.GetImageFromArray(judge.no_displacement(pair) + SHIFT.astype(np.float32), isVector=True)
        sitk.WriteImage(field, str(folder / "field.mha"))
        return process.Cost(1, 2, 3), folder / "field.mha"

    monkeypatch.setattr(program, "register", register)
    monkeypatch.setattr(program, "version", lambda engine, settings: "1")
    monkeypatch.setattr(program, "DATA", tmp_path)
    monkeypatch.setitem(PAIRS, "brain", landmarks)
    words = ["peers", "--pairs", "brain", "--engines", "ours,greedy", "--out", str(tmp_path)]
    for seeds, again in (("1", []), ("1,2", []), ("1", ["--again"])):
        monkeypatch.setattr(sys, "argv", [*words, "--seeds", seeds, *again])
        program.main()
    ours, greedy = [("ours", 1)], [("greedy", 1)]
    assert runs == [*ours, *greedy, ("ours", 2), *greedy, ("greedy", 2), *ours, *greedy]
    text = (tmp_path / "peers.md").read_text()
    assert "| brain | ours | 6.16 | **0.00** mm (0.00, 2 seeds) | 0.00% | 1 | 2 | 3 |" in text
    assert "- brain, greedy, seed 2: no wheel" in text
    assert "brain greedy seed 1: - (no wheel)" in capsys.readouterr().out


@pytest.mark.shared
@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    ("name", "before"),
    [("hippocampus_001_004", 0.703), ("brain", 0.309), ("lung_mono", 4.11), ("breath_06", 16.4), ("kidney", 28.0),
     ("epi", 11.9), ("ms_t1", 10.25), ("ms_flair", 0.369)],
)  # fmt: skip
def test_what_the_headers_reach_is_what_the_notes_of_the_data_say(name, before):
    pair = STANDARD[name]
    assert judge.score(pair, judge.no_displacement(pair)).value == pytest.approx(before, rel=0.01)
