"""Small artifacts of ours, made once, that tests damage copies of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.artifact_judges import opened_once
from benchmarks.artifact_seeds import Seeds, made


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeds]:
    """The outputs of `compile`, `explore` and `compare`, and files that people give."""
    folder: Path = tmp_path_factory.mktemp("artifacts")
    with opened_once():
        yield made(folder)
