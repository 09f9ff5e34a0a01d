"""Random models on random chips compute what ONNX Runtime computes, from model file to execution.

The cases are drawn one choice after the other (`draw`); `python -m benchmarks.random_models` draws
more of them, and says of a failing one which stage is the first to be wrong.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from backends.functional import TOLERANCE
from ir.onnxdoor.session import Runtime
from tests.chain.corpus import CORPUS
from tests.chain.draw import draw_recipe
from tests.chain.recipe import Recipe
from tests.chain.run import run_recipe

PARTS, EACH = 10, 50  # 500 cases, in parts so that several processes may share them


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain")


@pytest.mark.parametrize("name", CORPUS)
def test_once_failed(name: str, folder: Path, runtime: Runtime) -> None:
    done = run_recipe(CORPUS[name], folder, runtime)
    assert done.worst <= TOLERANCE


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    def choose(_: str, options: Sequence[Any]) -> Any:
        return draw(st.sampled_from(options))

    return draw_recipe(choose)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_computes_the_model(part: int, folder: Path, runtime: Runtime) -> None:
    @seed(part)
    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(recipes())
    def check(recipe: Recipe) -> None:
        done = run_recipe(recipe, folder, runtime)
        assert done.worst <= TOLERANCE

    check()
