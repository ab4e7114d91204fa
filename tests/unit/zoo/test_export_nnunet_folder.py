"""Folders, plans and checkpoints of nnU-Net v2: which are found, and what is said of those that can't be used."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn, serialization

from elastix_impact.errors import InputError, ModelError, OutputError
from elastix_impact.zoo.export.nnunet import export_nnunet
from elastix_impact.zoo.export.nnunet_folder import dataset_name, find_checkpoint, find_model_folder
from elastix_impact.zoo.load import load_model
from nnunet_folder import Trained, write_checkpoint, write_folder

FLAT = ((1, 1), (2, 2))


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    return write_folder(tmp_path, strides=FLAT)


def _fails(trained: Trained, *said: str, **options: Any) -> None:
    path = trained.folder.parent / "never.pt"
    with pytest.raises(ModelError) as caught:
        export_nnunet(trained.folder, path, **options)
    assert all(words in str(caught.value) for words in said), str(caught.value)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def _first_layer(path: Path) -> torch.Tensor:
    x = torch.linspace(-500, 500, 64).reshape(1, 1, 8, 8)
    return load_model(path)(x, 1, torch.zeros(4), torch.tensor([]))[0]


def test_the_folder_may_be_the_model_a_fold_or_what_is_above(trained: Trained, tmp_path: Path) -> None:
    for folder in (trained.folder, trained.folder / "fold_0", trained.folder.parent, tmp_path):
        assert find_model_folder(folder).resolve() == trained.folder.resolve()
        assert dataset_name(folder).startswith("Dataset291_Total")
    path = export_nnunet(trained.folder / "fold_0", tmp_path / "new" / "m.pt")
    assert _first_layer(path).equal(_first_layer(export_nnunet(tmp_path, tmp_path / "other.pt")))


def test_a_relative_folder_is_enough(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.folder / "fold_0")
    assert export_nnunet(Path(), Path("m.pt")).is_file()


def test_a_folder_without_a_datasets_name_takes_that_of_the_plans(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, strides=FLAT, name="weights").folder
    assert dataset_name(folder) == "weights"
    Trained(folder, nn.Identity()).edit("plans.json", dataset_name="Dataset100_mrsegmentator")
    assert dataset_name(folder) == "Dataset100_mrsegmentator"


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod."])
def test_wrapped_networks_are_unwrapped(tmp_path: Path, prefix: str) -> None:
    trained = write_folder(tmp_path, strides=FLAT, prefix=prefix)
    assert export_nnunet(trained.folder, tmp_path / "m.pt").is_file()


def test_shared_names_and_heads_of_deep_supervision_may_lack(tmp_path: Path) -> None:
    trained = write_folder(tmp_path, strides=((1, 1), (2, 2), (2, 2)))
    before = _first_layer(export_nnunet(trained.folder, tmp_path / "before.pt"))
    unneeded = ("decoder.encoder.", "decoder.seg_layers.0.")
    weights = {
        name: weight
        for name, weight in trained.network.state_dict().items()
        if not name.startswith(unneeded) and ".all_modules." not in name
    }
    write_checkpoint(trained.checkpoint(), weights)
    assert _first_layer(export_nnunet(trained.folder, tmp_path / "after.pt")).equal(before)


def test_folds_are_chosen(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, strides=FLAT, folds=("fold_1", "fold_2", "fold_all")).folder
    name = "checkpoint_final.pth"
    assert find_checkpoint(folder, None, name).parent.name == "fold_all"
    for fold in ("2", "fold_2"):
        assert find_checkpoint(folder, fold, name).parent.name == "fold_2"
    with pytest.raises(ModelError, match=r"no folder fold_0.*fold_1, fold_2, fold_all"):
        find_checkpoint(folder, "0", name)
    with pytest.raises(ModelError, match=r"no such checkpoint.*checkpoint_final\.pth"):
        find_checkpoint(folder, "1", "checkpoint_best.pth")


def test_configurations_are_chosen_by_name_folder_and_checkpoint(trained: Trained, tmp_path: Path) -> None:
    path = trained.folder / "plans.json"
    plans = json.loads(path.read_text())
    plans["configurations"]["3d_lowres"] = {"normalization_schemes": ["CTNormalization"]}
    plans["configurations"]["inheriting"] = {"inherits_from": "3d_fullres", "batch_size": 4}
    path.write_text(json.dumps(plans))
    assert export_nnunet(trained.folder, tmp_path / "a.pt").is_file()
    assert export_nnunet(trained.folder, tmp_path / "b.pt", configuration="inheriting").is_file()
    _fails(trained, "UNet_class_name is missing", configuration="3d_lowres")
    _fails(trained, "no configuration 2d", "Choose one of 3d_fullres, 3d_lowres, inheriting", configuration="2d")
    renamed = Trained(trained.folder.rename(trained.folder.parent / "weights"), trained.network)
    assert export_nnunet(renamed.folder, tmp_path / "c.pt").is_file()
    write_checkpoint(renamed.checkpoint(), trained.network.state_dict(), init_args={"configuration": "3d_lowres"})
    _fails(renamed, "UNet_class_name is missing")


def test_a_configuration_chooses_among_several_folders(trained: Trained, tmp_path: Path) -> None:
    two = trained.folder.parent / "nnUNetTrainer__nnUNetPlans__2d"
    trained.folder.with_name(two.name).mkdir()
    (two / "plans.json").write_text("{}")
    assert find_model_folder(two.parent, "2d") == two
    with pytest.raises(ModelError, match=r"holds 2 trained models.*Choose one of .*__3d_fullres, .*__2d"):
        export_nnunet(tmp_path, tmp_path / "m.pt")


def test_missing_folders_are_said(tmp_path: Path) -> None:
    (tmp_path / "weights.zip").touch()
    (tmp_path / "empty").mkdir()
    for name, said in (("none", "no such folder"), ("weights.zip", "unpack it"), ("empty", "holds no plans.json")):
        with pytest.raises(ModelError, match=said):
            export_nnunet(tmp_path / name, tmp_path / "m.pt")


@pytest.mark.parametrize("name", ["dataset.json", "fold_0/checkpoint_final.pth", "fold_0"])
def test_missing_files_are_said(trained: Trained, name: str) -> None:
    (trained.folder / name).rename(trained.folder.parent / "elsewhere")
    _fails(trained, Path(name).name.split(".")[0])


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("[]", "holds a JSON list"), ("", "is not JSON")])
def test_broken_json_is_said(trained: Trained, text: str, said: str) -> None:
    for name in ("plans.json", "dataset.json"):
        before = (trained.folder / name).read_text()
        (trained.folder / name).write_text(text)
        _fails(trained, name, said)
        (trained.folder / name).write_text(before)


def test_faults_of_plans_are_said(trained: Trained) -> None:
    path = trained.folder / "plans.json"
    sound = path.read_text()
    for changes, said in (
        ({"configurations": None}, "configurations is missing"),
        ({"configurations": []}, "configurations is []"),
        ({"transpose_forward": [0, 1]}, "transpose_forward is [0, 1]"),
        ({"foreground_intensity_properties_per_channel": None}, "lacks percentile_00_5"),
    ):
        trained.edit("plans.json", **changes)
        _fails(trained, "plans.json", said)
        path.write_text(sound)


def _architecture(trained: Trained) -> dict[str, Any]:
    return json.loads((trained.folder / "plans.json").read_text())["configurations"]["3d_fullres"]["architecture"]


def test_faults_of_configurations_are_said(trained: Trained) -> None:
    sound, architecture = (trained.folder / "plans.json").read_text(), _architecture(trained)
    arguments = architecture["arch_kwargs"]
    for changes, said in (
        ({"normalization_schemes": ["Percentile"]}, "normalization scheme is Percentile"),
        ({"normalization_schemes": []}, "normalization scheme is missing"),
        ({"previous_stage": "3d_lowres"}, "cascade"),
        ({"inherits_from": "3d_fullres"}, "inherits from itself"),
        ({"inherits_from": "unknown"}, "unknown is missing"),
        ({"architecture": architecture | {"network_class_name": "some.where.Primus"}}, "the network is a Primus"),
        ({"architecture": architecture | {"arch_kwargs": arguments | {"nonlin": "os.system"}}}, "nonlin is os.system"),
        ({"architecture": architecture | {"arch_kwargs": arguments | {"conv_op": None}}}, "has no conv_op"),
        ({"architecture": architecture | {"arch_kwargs": arguments | {"odd": 3}}}, "can't be made"),
        ({"architecture": architecture | {"arch_kwargs": arguments | {"strides": [[1, 1]]}}}, "can't be made"),
    ):
        trained.configure(**changes)
        _fails(trained, said)
        (trained.folder / "plans.json").write_text(sound)


def test_several_channels_are_refused(trained: Trained) -> None:
    trained.edit("dataset.json", channel_names={"0": "T1", "1": "FLAIR"})
    _fails(trained, "takes 2 different images", "T1, FLAIR")


def test_weights_of_another_network_are_refused(trained: Trained) -> None:
    weights = trained.network.state_dict()
    whole = dict(weights)
    del weights["decoder.stages.0.convs.0.conv.weight"], weights["decoder.stages.0.convs.0.all_modules.0.weight"]
    write_checkpoint(trained.checkpoint(), weights)
    _fails(trained, "2 missing (decoder.stages.0.convs.0.conv.weight", "nnUNetTrainerNoMirroring")
    write_checkpoint(trained.checkpoint(), whole | {"encoder.extra": torch.zeros(1)})
    _fails(trained, "1 unknown (encoder.extra)")
    write_checkpoint(trained.checkpoint(), whole | {"decoder.transpconvs.0.weight": torch.zeros(1)})
    _fails(trained, "1 of another shape (decoder.transpconvs.0.weight)")


class _Program:
    def __reduce__(self) -> tuple[Any, ...]:
        return sys.intern, ("never run",)


def test_a_checkpoint_that_is_a_program_is_refused(trained: Trained) -> None:
    write_checkpoint(trained.checkpoint(), trained.network.state_dict(), trainer=_Program())
    _fails(trained, "sys.intern", "would have to be run")


def test_loading_leaves_torchs_safe_globals_as_they_were(trained: Trained, tmp_path: Path) -> None:
    before = set(serialization.get_safe_globals())
    export_nnunet(trained.folder, tmp_path / "m.pt")
    assert set(serialization.get_safe_globals()) == before


def test_damaged_and_other_checkpoints_are_refused(trained: Trained) -> None:
    path = trained.checkpoint()
    sound = path.read_bytes()
    for content in (b"", b"no checkpoint", sound[: len(sound) // 2], pickle.dumps({"a": 1}, protocol=2)):
        path.write_bytes(content)
        _fails(trained, "checkpoint_final.pth")
    torch.save({"state_dict": {}}, path)
    _fails(trained, "not a checkpoint of nnU-Net v2")


def test_unknown_choices_are_refused(trained: Trained, tmp_path: Path) -> None:
    for options in ({"layers": "some"}, {"orientation": "RPI"}):
        with pytest.raises(InputError, match="one of"):
            export_nnunet(trained.folder, tmp_path / "m.pt", **options)  # type: ignore[arg-type]


def test_a_file_that_cant_be_written_is_said(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        export_nnunet(trained.folder, tmp_path / "file" / "m.pt")


def test_the_missing_library_is_named(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dynamic_network_architectures.architectures.unet", None)
    _fails(trained, "dynamic-network-architectures", 'pip install "elastix-impact[export]"')
