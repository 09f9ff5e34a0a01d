"""Damaged files: whatever bytes change, an answer or an InputError, never another exception."""

import random
from pathlib import Path

import pytest

from compiler.frontend import read_model
from ir.errors import InputError
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m


@pytest.mark.parametrize("block", [m.dense_masked(), m.grouped, m.contract()])
def test_changed_bytes(block: m.Ffn, tmp_path: Path) -> None:
    data = m.write(tmp_path, [block]).read_bytes()
    draw = random.Random(7)  # noqa: S311 (any bytes will do, the same every time)
    path = tmp_path / "damaged.onnx"
    refused = 0
    with Runtime() as own:  # not the one of all tests: whatever may come
        for _ in range(40):
            damaged = bytearray(data)
            for _ in range(draw.choice([1, 2, 8])):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            path.write_bytes(damaged)
            try:
                read_model(path, runtime=own)
            except InputError:
                refused += 1
    assert 0 < refused < 40  # some hit the structure, some only weights
