"""Errors say all they know in one line, and say the same after a journey between processes."""

import pickle

import pytest

from ir.errors import (
    Amount,
    CheckError,
    InfeasibleError,
    InputError,
    LoadRefusedError,
    MoexbarError,
    said_of,
)

SHORT = InfeasibleError(
    "buffer of layer 1",
    Amount(101, "101 bytes for the values in flight"),
    Amount(100, "memory.region_buffer_bytes 100"),
    "bytes",
    "set it to 101",
)


def test_what_does_not_fit_in_words_and_in_numbers() -> None:
    assert str(SHORT) == (
        "buffer of layer 1: needs 101 bytes for the values in flight, has "
        "memory.region_buffer_bytes 100; set it to 101"
    )
    assert SHORT.demand.value - SHORT.supply.value == 1


@pytest.mark.parametrize(
    "error",
    [SHORT, InputError("--prefill", "0, expected 1 or more", "say 8"), CheckError("a", "b", "c")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_from_another_process(error: MoexbarError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("w", "a.onnx: w"),
        ("a.onnx", "a.onnx"),
        ("a.onnx: w", "a.onnx: w"),
        ("a.onn", "a.onnx: a.onn"),
    ],
)
def test_a_file_is_named_once(where: str, said: str) -> None:
    with pytest.raises(LoadRefusedError) as told, said_of("a.onnx"):
        raise LoadRefusedError(where, "0 x 4, expected more", "store it")
    assert str(told.value) == f"{said}: 0 x 4, expected more; store it"
