"""Area and rate of a shape: by hand, and as the compiler's program of the same model has them."""

import json
from pathlib import Path

import numpy as np
import pytest

import moexbar as mx
from backends.cost import cost
from ir import timing
from ir.errors import InputError
from moexbar.scaling.place import check_areas, least_ps, place, regions_of
from moexbar.scaling.shape import Shape

FIXED = {"bus.transfers_per_slot": 2, "bus.return_lanes": 2}  # open sizes are a program's


def test_tiles_by_hand() -> None:
    # width 128 in crossbars of 256 x 256: a product of 128 x 128 is 1 tile, 128 x 384 2 tiles.
    # Attention 4; an expert 3 matrices of 2 = 6; head of 500 words: 128 x 500, 2
    # 2 groups of at most 2 experts of 4: 12 PGs, 24 crossbars a layer
    shape, chip = Shape(3, 128, 4, 500), mx.load_chip("hermes", {"pg.mux": 2, **FIXED})
    parts = place(shape, chip, regions_of(shape, chip, 32), None, None).area.parts_um2
    assert parts["peripheral groups"] == (3 * (4 + 12) + 2) * 508_000
    assert parts["arrays"] == (3 * (4 + 24) + 2) * 127_000
    assert parts["mux switches"] == 3 * 24 * 256
    # bus: 2 x 128 x 8 bits in 130 ns = 15.75, so 16; with two lanes back 3 x 16 x 195
    assert parts["buses"] == 3 * 3 * 16 * 195
    assert parts["digital units"] == 3 * 1_250_000  # without a rate one a layer
    assert parts["attention units"] == 3 * 5_000_000


def test_units_are_as_many_as_the_rate_asks_for() -> None:
    # 1024 keys x 2 x 128 multiply-accumulates over 1024 a ns: 256 ns of one attention unit
    shape, chip = Shape(3, 128, 1), mx.load_chip("hermes", FIXED)
    regions = regions_of(shape, chip, 1024)
    assert regions.middle.attention_ps == 256_000
    for period, units in ((256_000, 1), (255_999, 2), (100_000, 2)):  # at most its two heads
        parts = place(shape, chip, regions, period, None).area.parts_um2
        assert parts["attention units"] == 3 * units * 5_000_000
    assert least_ps(shape, chip, regions, None) == 130_000  # the crossbars'; heads 128 ns


@pytest.mark.parametrize(
    ("experts", "mux", "settle", "least"),
    [
        (1, 1, 0, 130_000),
        (8, 8, 0, 130_000),  # one group has every token
        (8, 8, 10, 140_000),  # and a switch that settles first
        (8, 4, 10, 130_000),  # half of the tokens each, 70 ns
        (3, 2, 100, 153_334),  # groups of two and one: two thirds of 230 ns
    ],
)
def test_a_group_serves_its_share_of_the_tokens(
    experts: int, mux: int, settle: int, least: int
) -> None:
    chip = mx.load_chip("hermes", {"pg.mux": mux, "pg.mux_settle_ns": settle, **FIXED})
    shape = Shape(3, 128, experts)
    assert least_ps(shape, chip, regions_of(shape, chip, 1), None) == least


def test_a_token_of_each_sequence_goes_its_way() -> None:
    # three layers of four products, and the head: 13 MVMs of 130 ns; of 10 sequences a tenth
    chip, shape = mx.load_chip("hermes", FIXED), Shape(3, 128, 1)
    regions = regions_of(shape, chip, 1)
    assert least_ps(shape, chip, regions, 1) == 13 * 130_000
    assert least_ps(shape, chip, regions, 10) == 169_000
    assert least_ps(shape, chip, regions, 20) == 130_000


def test_attention_bounds_the_rate_by_its_heads() -> None:
    chip, shape = mx.load_chip("hermes", FIXED), Shape(3, 128, 1)
    assert least_ps(shape, chip, regions_of(shape, chip, 4096), None) == 512_000  # of 1024 ns


def configuration(folder: Path, experts: int, layers: int) -> Path:
    """Our shape of width 128 as a config.json: of Mixtral with one expert a token, or of LLaMA."""
    found = {
        "model_type": "mixtral" if experts > 1 else "llama",
        "hidden_size": 128,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 500,
        "intermediate_size": 384,
        "num_local_experts": experts,
        "num_experts_per_tok": 1,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize(("experts", "mux", "layers"), [(4, 1, 3), (4, 2, 3), (5, 4, 2), (1, 1, 4)])
def test_areas_are_those_of_the_compiled_program(
    experts: int, mux: int, layers: int, tmp_path: Path
) -> None:
    """All parts but buffers, where a token comes every MVM time and attention sees the prefill."""
    chip, tokens = mx.load_chip("hermes", {"pg.mux": mux, **FIXED}), 32
    routing = None
    if experts > 1:
        choices = (np.arange(layers * 64).reshape(layers, 64, 1) % experts).astype(np.int16)
        routing = tmp_path / "trace.npz"
        np.savez(
            routing,
            layer=np.arange(layers),
            num_experts=np.full(layers, experts),
            sequence=np.repeat(np.arange(2), tokens),
            choices=choices,
        )
    done = mx.compile(
        configuration(tmp_path, experts, layers),
        chip,
        routing=routing,
        prefill=tokens,
        baselines="none",
    )
    theirs = cost(done.program, done.chip).area.parts_um2
    shape = Shape(layers, 128, experts, 500)
    period = timing.mvm_ps(chip, shared=False)
    ours = place(shape, chip, regions_of(shape, chip, tokens), period, None).area.parts_um2
    buffers = {name: theirs[name] for name in ("buffers", "input buffers")}
    assert ours | buffers == theirs
    assert sum(buffers.values()) < 0.02 * sum(theirs.values())


def test_a_chip_without_published_areas_is_refused() -> None:
    with pytest.raises(InputError, match="is not published, expected both"):
        check_areas(mx.load_chip("ibm-3dcim"))
