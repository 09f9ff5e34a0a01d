"""A folder given for a model: its one .onnx file, else its config.json."""

from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.files.model_files import model_file


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("name", ["m.onnx", "onnx/m.onnx"])
def test_the_one_model_of_a_folder(name: str, tmp_path: Path) -> None:
    """A configuration beside it is the model's own."""
    assert model_file(made(tmp_path, name, "config.json")) == tmp_path / name


def test_a_folder_of_a_configuration_alone(tmp_path: Path) -> None:
    assert model_file(made(tmp_path, "config.json")) == tmp_path / "config.json"


def test_what_is_no_folder_is_left_to_its_reader(tmp_path: Path) -> None:
    assert model_file(tmp_path / "none") == tmp_path / "none"


def test_several_models_are_to_choose_from(tmp_path: Path) -> None:
    """The first twelve are named, those of the folder itself first."""
    made(tmp_path, "onnx/a.onnx", "b.onnx")
    with pytest.raises(InputError, match=r"a folder of 2 models: b\.onnx, onnx/a\.onnx; give one"):
        model_file(tmp_path)
    made(tmp_path, *(f"onnx/{n:02}.onnx" for n in range(12)))
    with pytest.raises(InputError, match=r"a folder of 14 models: .*, onnx/10\.onnx and 2 more;"):
        model_file(tmp_path)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder without a model, expected one \.onnx file"):
        model_file(made(tmp_path, "readme.md"))


def test_a_name_that_no_system_takes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        model_file(tmp_path / ("m" * 300))
