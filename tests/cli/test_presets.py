"""Presets as a user meets them: listed, shown, and taken when no map is given."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.errors import InputError
from elastix_impact.io.images import read_image, write_image
from elastix_impact.parameters.metric_plan import LocalCorrelationPlan
from elastix_impact.parameters.optimizer_plan import LbfgsPlan
from elastix_impact.parameters.plan import LinearTransformPlan, RegistrationPlan, SplineTransformPlan
from elastix_impact.parameters.presets import NOMINAL, PRESETS, PairFacts, preset_texts
from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.runs.plans import find_models, plan_case
from elastix_impact.runs.presets import facts_of, find_preset, write_preset
from small_case import write_small_case

FLAT = PairFacts((0.5, 0.5), (1.0, 1.0), 100.0)


@pytest.mark.parametrize("facts", [NOMINAL, FLAT, PairFacts((0.7, 0.7, 5.0), (1.0, 1.0, 1.0), 350.0, -1024.0)])
@pytest.mark.parametrize("name", PRESETS)
def test_maps_of_presets_have_no_fault_and_no_remark(name: str, facts: PairFacts) -> None:
    if len(facts.fixed_spacing) not in PRESETS[name].dimensions:
        with pytest.raises(ValueError, match="3-D"):
            preset_texts(PRESETS[name], facts)
        return
    for file_name, text in preset_texts(PRESETS[name], facts):
        resolution = resolve(parse_parameter_text(text, file_name))
        assert resolution.problems == (), file_name
        assert resolution.plan is not None
        assert resolution.plan.guard_stages


def test_numbers_follow_from_the_images() -> None:
    facts = PairFacts((1.0, 1.0, 4.0), (2.0, 2.0, 2.0), 320.0, lowest_intensity=-1000.0)
    plans = [resolve(parse_parameter_text(text, name)).plan for name, text in preset_texts(PRESETS["general"], facts)]
    rigid, _, spline = plans
    assert rigid is not None
    assert spline is not None
    assert isinstance(rigid.transform, LinearTransformPlan)
    assert rigid.transform.automatic_initialisation == "FeatureSearch"
    assert rigid.transform.search is not None
    assert rigid.transform.search.rotations == 200
    assert isinstance(spline.transform, SplineTransformPlan)
    assert spline.transform.grid_spacing is not None
    assert spline.transform.grid_spacing[-1] == (16.0, 16.0, 16.0)
    finest = spline.levels[-1].terms[0]
    assert finest.fixed_pyramid.shrink_factor == (2, 2, 1)
    assert finest.moving_pyramid.shrink_factor == (1, 1, 1)
    assert spline.output.default_pixel_value == -1000.0


def test_the_overlap_of_images_that_lie_apart_is_that_of_their_centres_together(tmp_path: Path) -> None:
    write_small_case(tmp_path)
    fixed = next(tmp_path.glob("Fixed*mage*"))
    assert facts_of(fixed, fixed).overlap > 0.99
    moved = tmp_path / "moved.mha"
    image = read_image(fixed)
    origin = tuple(o + 0.9 * e for o, e in zip(image.grid.origin, image.grid.extent))
    write_image(moved, image.data, replace(image.grid, origin=origin))
    assert facts_of(fixed, moved).overlap > 0.99


def test_list_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in PRESETS)
    assert main(["presets", "show", "mr-ct"]) == 0
    assert "// ---- 1_mr_ct.txt" in capsys.readouterr().out
    assert main(["presets", "show", "general", "--to", str(tmp_path / "maps")]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["check", "--models", *map(str, paths)]) == 0
    assert main(["presets", "show", "rigit"]) == 2
    assert "Did you mean rigid?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["general", "mono", "inter-subject", "rigid"])
def test_what_show_prints_is_a_chain_that_can_be_run(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["presets", "show", name]) == 0
    Path("map.txt").write_text(capsys.readouterr().out)
    assert main(["check", "--models", "map.txt"]) == 0
    plan = plan_case((Path("map.txt"),), None, None)
    assert [type(stage) for stage in plan.stages] == [RegistrationPlan] * len(PRESETS[name].stages)
    assert all(model.is_file() for model in find_models(plan))
    assert [path.name for path in tmp_path.iterdir()] == ["map.txt"]


@pytest.mark.filterwarnings("ignore::elastix_impact.io.warning.InputWarning")
def test_what_show_prints_for_a_pair_registers_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two short stages out of the printed three; the second one's MIND has no file."""
    write_small_case(tmp_path)
    fixed, moving = next(tmp_path.glob("Fixed*mage*")), next(tmp_path.glob("Moving*mage*"))
    assert main(["presets", "show", "general", "-f", str(fixed), "-m", str(moving)]) == 0
    heads = capsys.readouterr().out.split("// ---- ")
    text = re.sub(r"(?m)^\(MaximumNumberOfIterations .*", "(MaximumNumberOfIterations 3)", heads[1])
    text += "// ---- " + re.sub(r"(?m)^\(MaximumNumberOfIterations .*", "(MaximumNumberOfIterations 3)", heads[3])
    chain = tmp_path / "map.txt"
    chain.write_text("// ---- " + text)
    words = ["-f", str(fixed), "-m", str(moving), "-p", str(chain), "-o", str(tmp_path / "out"), "--progress", "json"]
    assert main(["register", *words, "--no-evaluation"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert {event["stages"] for event in events if "stages" in event} == {2}
    assert (tmp_path / "out" / "TransformParameters.1.txt").is_file()
    assert not (tmp_path / "MIND").exists()


def test_a_map_that_itk_elastix_must_run_stands_alone_in_its_file(tmp_path: Path) -> None:
    chain = tmp_path / "map.txt"
    body = '(Metric "AdvancedMattesMutualInformation")\n(Transform "{}")\n(NumberOfResolutions 1)\n'
    body += '(Optimizer "AdaptiveStochasticGradientDescent")\n(ImageSampler "Full")\n'
    chain.write_text("".join(f"// ---- {k}.txt\n{body.format(k)}" for k in ("EulerTransform", "SplineKernelTransform")))
    with pytest.raises(InputError, match="files of one map only"):
        plan_case((chain,), None, None)


def test_an_earlier_name_of_a_preset_is_understood() -> None:
    assert find_preset("mind-only") is PRESETS["general"]


def test_a_two_dimensional_pair_can_not_have_a_volume_s_preset(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="rigid, general, mono or inter-subject"):
        write_preset(PRESETS["mr-ct"], FLAT, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::elastix_impact.io.warning.InputWarning")
def test_the_default_preset_ends_with_its_deformation(tmp_path: Path) -> None:
    write_small_case(tmp_path)
    fixed, moving = next(tmp_path.glob("Fixed*mage*")), next(tmp_path.glob("Moving*mage*"))
    assert main(["register", "-f", str(fixed), "-m", str(moving), "-o", str(tmp_path / "out"), "--preset",
                 "mind-only", "--quiet"]) == 0  # fmt: skip
    assert (tmp_path / "out" / "result.2.mha").is_file()


@pytest.mark.filterwarnings("ignore::elastix_impact.io.warning.InputWarning")
def test_register_without_a_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_small_case(tmp_path)
    fixed, moving = next(tmp_path.glob("Fixed*mage*")), next(tmp_path.glob("Moving*mage*"))
    words = ["register", "-f", str(fixed), "-m", str(moving), "--quiet"]
    assert main([*words, "-o", str(tmp_path / "out"), "--preset", "rigid"]) == 0
    assert (tmp_path / "out" / "result.1.mha").is_file()
    assert "no map given" not in capsys.readouterr().err
    assert main([*words, "-o", str(tmp_path / "out2"), "--time-limit", "1s"]) == 3
    assert "taking the preset general" in capsys.readouterr().err
    assert [path.name for path in sorted((tmp_path / "out2" / "preset").glob("*.txt"))] == [
        "0_rigid.txt",
        "1_affine.txt",
        "2_mind.txt",
    ]
    assert main([*words, "-o", str(tmp_path / "out3"), "--preset", "rigid", "-p", "map.txt"]) == 2
    assert "not both" in capsys.readouterr().err


def test_pictures_get_finer_voxels_than_volumes_of_their_size() -> None:
    """A picture of 1024 pixels is seen at every second one; control points are a twentieth of its side apart."""
    picture = PairFacts((0.5, 0.5), (0.5, 0.5), longest_extent=512.0)
    volume = PairFacts((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), longest_extent=512.0)
    assert (picture.finest_voxel, picture.grid_spacing) == (1.0, 26.0)
    assert (volume.finest_voxel, volume.grid_spacing) == (3.2, 26.0)
    small = PairFacts((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), longest_extent=50.0)
    assert (small.finest_voxel, small.grid_spacing) == (1.0, 8.0)


def test_images_that_overlap_little_get_no_affine_stage_and_a_stiffer_deformation() -> None:
    """A thigh CT of which an MR sees a third."""
    whole = PairFacts((1.0, 1.0, 3.0), (1.0, 1.0, 3.0), 208.0, overlap=0.6)
    part = replace(whole, overlap=0.4)
    assert [name for name, _ in preset_texts(PRESETS["general"], whole)] == [
        "0_rigid.txt",
        "1_affine.txt",
        "2_mind.txt",
    ]
    assert [name for name, _ in preset_texts(PRESETS["general"], part)] == ["0_rigid.txt", "1_mind.txt"]
    assert (whole.finest_voxel, part.finest_voxel) == (1.3, 1.9)
    assert (whole.grid_spacing, part.grid_spacing) == (10.4, 16.0)
    assert part.bending > 4 * whole.bending
    spline = resolve(parse_parameter_text(preset_texts(PRESETS["general"], part)[-1][1], "map.txt")).plan
    assert spline is not None
    assert all(level.sample_where_both_see and level.repeat_while_folding for level in spline.levels)
    assert [term.weight for term in spline.levels[0].terms] == [0.2, 6100.0, 30.0, 1.0]


def test_a_rigid_volume_ends_with_local_correlation_unless_the_images_overlap_little() -> None:
    """What it costs is saved on the levels before it; where it is left out, they are those of every other preset."""
    head = PairFacts((0.7, 0.7, 3.0), (0.5, 0.5, 4.0), 230.0, overlap=0.8)
    coarse, local = (_plan(*named) for named in preset_texts(PRESETS["rigid"], head))
    assert coarse is not None
    assert local is not None
    assert coarse.output.write_result_image
    assert local.output.write_result_image
    assert [level.optimizer.maximum_number_of_iterations for level in coarse.levels] == [150, 150]
    (level,) = local.levels
    (term,) = level.terms
    assert isinstance(term.metric, LocalCorrelationPlan)
    assert isinstance(level.optimizer, LbfgsPlan)
    assert (term.metric.voxel_size, term.metric.radius) == (1.9, 2)
    assert term.fixed_pyramid.smoothing_sigma == term.moving_pyramid.smoothing_sigma == (0.0, 0.0, 0.0)
    assert isinstance(local.transform, LinearTransformPlan)
    assert (local.transform.kind, local.transform.search) == ("Euler", None)
    for without in (replace(head, overlap=0.4), FLAT):
        (named,) = preset_texts(PRESETS["rigid"], without)
        as_elsewhere = _body(preset_texts(PRESETS["general"], without)[0])
        assert _body(named) == as_elsewhere.replace('(WriteResultImage "false")', '(WriteResultImage "true")')


def _plan(name: str, text: str) -> RegistrationPlan:
    plan = resolve(parse_parameter_text(text, name)).plan
    assert plan is not None
    return plan


def _body(named: tuple[str, str]) -> str:
    """A map without its heading."""
    return named[1].partition("\n")[2]


def test_features_count_less_for_pictures_whose_stains_may_differ() -> None:
    picture = PairFacts((1.0, 1.0), (1.0, 1.0), longest_extent=400.0)
    plan = resolve(parse_parameter_text(preset_texts(PRESETS["general"], picture)[-1][1], "map.txt")).plan
    assert plan is not None
    assert [term.weight for term in plan.levels[0].terms] == [0.2, 400.0, 30.0, 1.0]


def test_a_small_moving_image_inside_the_fixed_one_is_compared_where_it_lies(tmp_path: Path) -> None:
    write_small_case(tmp_path)
    fixed = next(tmp_path.glob("Fixed*mage*"))
    image = read_image(fixed)
    part = tmp_path / "part.mha"
    half = tuple(n // 3 for n in image.grid.size)
    small = replace(image.grid, size=half)
    write_image(part, image.data[tuple(slice(n) for n in reversed(half))], small)
    facts = facts_of(fixed, part)
    assert facts.overlap < 0.1
