"""Commands named elastix and transformix that are ours."""

import os
import subprocess
import sys

import pytest

from elastix_impact.cli.install_commands import install_commands
from elastix_impact.cli.main import main
from elastix_impact.errors import OutputError

posix = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell runs these")


@posix
def test_the_commands_run_with_this_python_and_pass_arguments_and_codes_on(tmp_path, capsys):
    folder = tmp_path / "with space" / "bin"
    assert main(["install-commands", str(folder)]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == [str(folder / "elastix"), str(folder / "transformix")]
    (tmp_path / "torch.py").write_text("raise SystemExit('the working folder was imported')")
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    for program in ("elastix", "transformix"):
        done = subprocess.run([program, "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0
        assert done.stdout.startswith(f"{program} version: 5.")
        assert "elastix-impact version" in done.stdout
        absent = subprocess.run([program, "-out", "two words", "-x", "y"], cwd=tmp_path, env=environment,
                                capture_output=True, text=True)  # fmt: skip
        assert absent.returncode == 255
        assert '"two words" does not exist' in absent.stderr


def test_they_are_written_again_and_nothing_else_is_replaced(tmp_path, capsys):
    assert main(["install-commands", str(tmp_path)]) == 0
    assert main(["install-commands", str(tmp_path)]) == 0
    (tmp_path / "elastix").write_text("the real one")
    (tmp_path / "transformix").unlink()
    capsys.readouterr()
    assert main(["install-commands", str(tmp_path)]) == 2
    assert "something else has this name" in capsys.readouterr().err
    assert (tmp_path / "elastix").read_text() == "the real one"
    assert not (tmp_path / "transformix").exists()


def test_a_folder_that_can_t_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        install_commands(tmp_path / "file" / "bin", windows=False)


def test_windows_gets_cmd_files(tmp_path):
    paths = install_commands(tmp_path, windows=True)
    assert [path.name for path in paths] == ["elastix.cmd", "transformix.cmd"]
    text = paths[1].read_bytes().decode()
    assert text.endswith(f'@"{sys.executable}" -P -m elastix_impact transformix %*\r\n')
