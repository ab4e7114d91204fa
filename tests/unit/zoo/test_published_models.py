"""The catalogue of published models."""

import pytest

from elastix_impact.errors import ModelError
from elastix_impact.zoo.catalog import CATALOG, FAMILIES, find_entry
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.inspect import MANY_LAYERS, layer_geometry
from elastix_impact.zoo.load import load_model

PUBLISHED = {
    "Anatomix": ["Anatomix"],
    "DinoV2": ["Small"],
    "MIND": [f"R{r}D{d}_{n}D" for r in (1, 2) for d in (1, 2) for n in (2, 3)],
    "MRSeg": ["MRSeg"],
    "SAM2.1": ["SAM2.1_Tiny", "SAM2.1_Small"],
    "TS": ["M258", *(f"M{n}" for n in (291, 292, 293, 294, 295, 297, 298, 730, 731, 732, 733, 850, 851, 852, 853))],
}


def test_every_published_file_is_there_with_its_family() -> None:
    assert set(CATALOG) == {f"{folder}/{name}.pt" for folder, names in PUBLISHED.items() for name in names}
    assert {entry.family for entry in CATALOG.values()} == set(FAMILIES)
    assert all(entry.name == name and entry.layers for name, entry in CATALOG.items())


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("TS/M730.pt", "TS/M730.pt"),
        ("m730", "TS/M730.pt"),
        ("TS/M730_2_Layers.pt", "TS/M730.pt"),
        ("/Data/Models/TS/M291_1_Layers.pt", "TS/M291.pt"),
        ("/Models/TS/M850_8_Layers.pt", "TS/M850.pt"),
        ("/Models/M850_8_Layers.pt", "TS/M850.pt"),
        ("/Data/Models/MIND/R1D2.pt", "MIND/R1D2_3D.pt"),
        ("MIND/R2D1_2D", "MIND/R2D1_2D.pt"),
        ("/Data/Models/SAM2.1/Tiny_2_Layers.pt", "SAM2.1/SAM2.1_Tiny.pt"),
        ("/Data/Models/SAM/Tiny_2_Layers.pt", "SAM2.1/SAM2.1_Tiny.pt"),
        ("Anatomix", "Anatomix/Anatomix.pt"),
    ],
)
def test_names_in_circulation_mean_todays_files(written: str, name: str) -> None:
    assert find_entry(written).name == name


def test_an_unknown_name_gets_its_neighbours() -> None:
    with pytest.raises(ModelError, match=r"Did you mean .*TS/M73\d\.pt"):
        find_entry("TS/M735")
    with pytest.raises(ModelError, match="models list"):
        find_entry("quite something else")


@pytest.mark.parametrize("name", PUBLISHED["MIND"])
def test_the_facts_of_mind_are_those_measured(name: str, tmp_path) -> None:
    """The receptive field is that of the intensities, without the typical variance of the whole image."""
    entry = CATALOG[f"MIND/{name}.pt"]
    model = load_model(export_mind(tmp_path / "m.pt", int(name[1]), int(name[3]), entry.dimension))
    (layer,) = layer_geometry(model, entry.dimension, entry.channels, MANY_LAYERS)
    (fact,) = entry.layers
    assert (layer.channels, layer.stride[0], layer.receptive_field[0]) == (
        fact.channels, fact.stride, fact.receptive_field,
    )  # fmt: skip


def test_the_facts_of_an_encoder_are_those_measured(shared) -> None:
    """The first layer of M730 and the encoder's shape, which the catalogue states for all U-Nets."""
    layers = CATALOG["TS/M730.pt"].layers
    for file in ("data/weights/elastix-testing/M730_1_Layers.pt", "golden/models/Encoder_2_Layers.pt"):
        measured = layer_geometry(load_model(shared / file), 3, 1, MANY_LAYERS)
        for layer, fact in zip(measured, layers):
            found = layer.channels, layer.stride[0], layer.receptive_field[0]
            assert found == (fact.channels, fact.stride, fact.receptive_field)
