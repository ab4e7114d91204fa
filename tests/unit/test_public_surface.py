"""The public names: listed in api_surface.json, importable, typed, and free until used."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import elastix_impact
from tiny_case import write_tiny_case

TESTS = Path(__file__).resolve().parents[1]


def test_names_are_those_of_the_list():
    listed = json.loads((TESTS / "api_surface.json").read_text())
    assert sorted(elastix_impact.__all__) == listed, (
        "The public surface changed: list a new name in tests/api_surface.json; deprecate one before you remove it."
    )


def test_every_name_is_there_and_is_typed():
    stub = ast.parse((Path(elastix_impact.__file__).parent / "__init__.pyi").read_text())
    typed = {alias.asname for node in ast.walk(stub) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == set(elastix_impact.__all__)
    for name in elastix_impact.__all__:
        assert getattr(elastix_impact, name) is not None
    assert set(dir(elastix_impact)) >= typed


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, elastix_impact; print(sorted({'torch', 'numpy', 'SimpleITK'} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_a_run_does_not_load_what_it_does_not_use(tmp_path: Path):
    write_tiny_case(tmp_path)
    program = (
        "import sys; from elastix_impact.cli.main import main; "
        f"main(['run', '--data', {str(tmp_path)!r}, '--out', {str(tmp_path / 'Out')!r}, '--quiet']); "
        "print(sorted({'torch._dynamo', 'torch._inductor', 'sympy', 'scipy.spatial', 'scipy.optimize', 'nibabel', "
        "'matplotlib'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout.splitlines()[-1] == "[]"
