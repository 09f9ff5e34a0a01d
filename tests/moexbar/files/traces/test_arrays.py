"""Arrays of ids and counts under any name: recognised where one reading is left, else refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ir.errors import InputError
from ir.load import MOST, Load
from ir.npz import ArchiveLimits
from ir.routing import Routing
from moexbar.files.routing_file import load_counts, load_routing, save_routing
from moexbar.files.traces.axes import Axes
from moexbar.files.traces.read import read_trace
from moexbar.files.traces.reading import Reading, RoutingLimits


def ids(*shape: int, experts: int = 16, seed: int = 0) -> np.ndarray:
    """Distinct expert ids along the last axis: [..., k]."""
    drawn = np.random.default_rng(seed).random((*shape[:-1], experts))
    return np.argsort(drawn, axis=-1)[..., : shape[-1]]


def saved(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def read(path: Path, axes: str | None = None, **asked: Any) -> tuple[Routing | Load, list[str]]:
    said: list[str] = []
    return read_trace(path, Reading(Axes.of(axes), say=said.append, **asked)), said


def trace(path: Path, axes: str | None = None, **asked: Any) -> Routing:
    found, _ = read(path, axes, **asked)
    assert isinstance(found, Routing)
    return found


def choices(path: Path, axes: str | None = None, **asked: Any) -> np.ndarray:
    found = trace(path, axes, **asked).choices
    assert found is not None
    return found


def test_ids_as_serving_engines_return_them(tmp_path: Path) -> None:
    """[tokens, layers, k]: by its name, though 100 and 4 could both be layers."""
    given = ids(100, 4, 2)
    path = saved(tmp_path / "r.npz", routed_experts=given.astype(np.uint8))
    found, said = read(path)
    assert isinstance(found, Routing) and found.choices is not None
    assert np.array_equal(found.choices, given.transpose(1, 0, 2))
    assert found.num_experts.tolist() == [16] * 4
    assert "(100, 4, 2) is read as tokens,layers,k" in said[0]
    assert "16 experts a layer, from the highest id; if more: --num-experts N" in said[1]


@pytest.mark.parametrize("shape", [(300, 4, 2), (4, 300, 2)])
def test_an_axis_of_more_than_256_is_not_that_of_the_layers(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    path = saved(tmp_path / "r.npz", topk_ids=ids(*shape))
    assert trace(path).layers == 4 and trace(path).tokens == 300


def test_two_readings_are_refused_with_the_axes_to_name(tmp_path: Path) -> None:
    given = ids(100, 48, 2)
    path = saved(tmp_path / "r.npz", topk_ids=given)
    with pytest.raises(InputError) as caught:
        read(path)
    assert "topk_ids: shape (100, 48, 2) of int64, values 0 to 15: may be read in 2 ways; " in str(
        caught.value
    )
    assert "--axes tokens,layers,k or --axes layers,tokens,k" in str(caught.value)
    assert np.array_equal(choices(path, "tokens,layers,k"), given.transpose(1, 0, 2))
    assert np.array_equal(choices(path, "layers, tokens, k"), given)


def test_what_else_the_file_holds_decides_between_readings(tmp_path: Path) -> None:
    beside = {"layer": np.arange(100), "num_experts": 20}
    found = trace(saved(tmp_path / "r.npz", topk_ids=ids(100, 48, 2), **beside))
    assert (found.layers, found.tokens, found.num_experts[0]) == (100, 48, 20)


def test_our_own_name_may_have_other_axes_when_they_are_named(tmp_path: Path) -> None:
    given, gates = ids(30, 4, 2), np.random.default_rng(1).random((30, 4, 2))
    path = saved(tmp_path / "r.npz", choices=given, weights=gates, num_experts=16)
    found = trace(path, "tokens,layers,k")
    assert found.choices is not None and found.weights is not None
    assert np.array_equal(found.choices, given.transpose(1, 0, 2))
    assert np.allclose(found.weights, gates.transpose(1, 0, 2))


def test_a_batch_is_its_sequences_without_padding_and_dense_layers(tmp_path: Path) -> None:
    """3 sequences of 20; layer 0 has no router (all 0); 5 tokens of the last are padding."""
    given = ids(3, 20, 4, 2)
    given[:, :, 0] = 0
    given[2, 15:] = -1
    found, said = read(saved(tmp_path / "r.npz", routed_experts=given))
    assert isinstance(found, Routing) and found.choices is not None
    assert found.layer.tolist() == [1, 2, 3]
    assert np.bincount(found.sequence).tolist() == [20, 20, 15]
    assert np.array_equal(found.choices[:, 20:40], given[1, :, 1:].transpose(1, 0, 2))
    assert [word in " ".join(said) for word in ("are left out: 0", "5 tokens")] == [True, True]


@pytest.mark.parametrize("padding", [0, 10])
def test_a_batch_of_no_padding_and_one_of_nothing_else(padding: int, tmp_path: Path) -> None:
    """Two sequences of 5 tokens; where no token has an expert, that is what the file says."""
    given = ids(2, 5, 3, 2)
    given[:, : padding // 2] = -1
    found, said = read(saved(tmp_path / "r.npz", routed_experts=given), "batch,seq,layers,k")
    assert isinstance(found, Routing)
    assert (found.tokens, np.bincount(found.sequence).tolist()) == (10, [5, 5])
    assert not any("as padding" in remark for remark in said)


def test_one_npy_file_is_named_by_itself(tmp_path: Path) -> None:
    given = ids(100, 4, 2)
    np.save(tmp_path / "routed_experts.npy", given)
    assert np.array_equal(choices(tmp_path / "routed_experts.npy"), given.transpose(1, 0, 2))
    np.save(tmp_path / "x.npy", given)
    with pytest.raises(InputError, match="may be read in 2 ways"):
        read(tmp_path / "x.npy")
    cut = (tmp_path / "x.npy").read_bytes()[:500]
    (tmp_path / "x.npy").write_bytes(cut)
    with pytest.raises(InputError, match="array: shape 100 x 4 x 2 of int64 needs 6400 bytes"):
        read(tmp_path / "x.npy")


def test_float_ids_are_whole_and_nan_is_no_expert(tmp_path: Path) -> None:
    given = ids(300, 4, 2).astype(np.float32)
    given[3, 2, 1] = np.nan
    assert choices(saved(tmp_path / "r.npz", expert_ids=given))[2, 3, 1] == -1
    given[5, 1, 0] = 2.5
    with pytest.raises(InputError, match=r"expert_ids: element \[5, 1, 0\]: 2.5, expected a whole"):
        read(saved(tmp_path / "r.npz", expert_ids=given))


def test_wide_ids_need_no_option(tmp_path: Path) -> None:
    """int64, 60 layers x 20,000 tokens x 8: 77 MB, more than 64 MiB, in a file of 0.5 MB."""
    given = np.tile(ids(1, 200, 8, experts=256), (60, 100, 1))
    path = saved(tmp_path / "r.npz", choices=given, num_experts=256)
    assert given.nbytes == 60 * 20_000 * 8 * 8 > 64 * 2**20
    limit = ArchiveLimits().bytes_of(path.stat().st_size)
    if given.nbytes < limit:  # how small the file is, zlib decides
        assert trace(path).tokens == 20_000
    np.savez(path, choices=given, num_experts=256)
    assert trace(path).tokens == 20_000


def test_limits_name_the_option_that_raises_them(tmp_path: Path) -> None:
    path = saved(tmp_path / "r.npz", choices=ids(2, 30, 2), num_experts=16)
    for word, message in [
        (
            "bytes=900",
            "choices: 1224 bytes when inflated with the others, limit 900; cut the file,",
        ),
        ("members=1", "2 members, limit 1; save fewer arrays,"),
        ("directory_bytes=9", "a member list of 118 bytes, limit 9; save fewer arrays,"),
        ("cells=479", "30 tokens x 16 experts, limit 479 in all; use fewer tokens,"),
        ("experts=15", "num_experts: 16 to 16, expected 1 to 15; count the experts of one layer,"),
    ]:
        with pytest.raises(InputError) as caught:
            read(path, limits=RoutingLimits.of([word]))
        assert message in str(caught.value)
        raised = str(caught.value).split("or raise it: --limit ")[1]
        assert read(path, limits=RoutingLimits.of([word, raised]))
    for wrong in ("cells", "cells=x", "option=3", "cells=0", "cells=-1"):
        with pytest.raises(InputError, match=r"--limit: .*expected NAME=NUMBER, NAME one of bytes"):
            RoutingLimits.of([wrong])


def test_counts_by_name_and_shape(tmp_path: Path) -> None:
    given = np.random.default_rng(0).integers(0, 40_000, (5, 3, 8))
    found, said = read(saved(tmp_path / "r.npz", load=given))
    assert isinstance(found, Load) and np.array_equal(found.counts, given)
    assert (found.steps, found.layers, found.experts) == (5, 3, 8)
    assert "(5, 3, 8) is read as steps,layers,experts" in said[0]
    one = load_counts(saved(tmp_path / "r.npz", x=given[0].astype(np.float64), layer=[2, 5, 9]))
    assert one.counts.shape == (1, 3, 8) and one.of(5).tolist() == given[:1, 1].tolist()
    turned, _ = read(saved(tmp_path / "r.npz", load=given[0].T), "experts,layers")
    assert isinstance(turned, Load) and np.array_equal(turned.counts[0], given[0])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.array([[3, -1]]), "counts: step 0, layer 0, expert 1: -1, expected at least 0"),
        (
            np.array([[3, np.nan]]),
            r"weight: element \[0, 1\]: nan, expected a whole number; shares",
        ),
        (np.array([[0.3, 0.7]]), r"weight: element \[0, 0\]: 0.3, expected a whole number; shares"),
        (np.array([[MOST, 1]]), f"in all, expected at most {MOST}; divide all counts by 2"),
        (np.zeros((0, 4), int), r"weight: shape \(0, 4\), expected 2 sizes of at least 1"),
        (np.ones((1, 1, 1, 1, 1), int), r"shape \(1, 1, 1, 1, 1\) of int64, values 1 to 1, exp"),
    ],
)
def test_counts_that_are_none(tmp_path: Path, counts: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(saved(tmp_path / "r.npz", weight=counts))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": np.array(["a"])}, r"nor another array of .* it holds names \(1,\)"),
        ({"a": ids(9, 4, 2), "b": ids(9, 4, 2)}, "a, b: 2 arrays that may be meant"),
        ({"x": ids(9, 4, 2) - 9}, "neither expert ids, distinct along the last axis"),
        ({"topk_ids": ids(9, 2), "num_experts": 4}, "ids from 0 to 15|expert 1., expected|neither"),
    ],
)
def test_archives_without_one_array(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(saved(tmp_path / "r.npz", **arrays))


@pytest.mark.parametrize(
    "axes", ["", "tokens", "tokens,layers", "k,k,tokens", "tokens,k,experts", "batch,k", "a,b"]
)
def test_axes_that_make_nothing(axes: str) -> None:
    with pytest.raises(InputError, match=r"--axes: .*for example --axes tokens,layers,k"):
        Axes.of(axes)


def test_the_number_of_experts(tmp_path: Path) -> None:
    """Said by an option, by the file, or by the model; the file and the option must agree."""
    path = saved(tmp_path / "r.npz", routed_experts=ids(9, 2, 2, experts=8))
    assert trace(path, num_experts=12).num_experts.tolist() == [12, 12]
    assert trace(path, model_experts=12).num_experts.tolist() == [12, 12]
    ours = saved(tmp_path / "o.npz", choices=ids(2, 9, 2, experts=8))
    with pytest.raises(InputError, match="or give --num-experts 32"):
        read(ours)
    assert trace(ours, num_experts=8).num_experts.tolist() == [8, 8]
    said = saved(tmp_path / "s.npz", choices=ids(2, 9, 2, experts=8), num_experts=8)
    assert trace(said, model_experts=9).num_experts.tolist() == [8, 8]
    with pytest.raises(InputError, match="num_experts: 8, but --num-experts is 9"):
        read(said, num_experts=9)


def test_counts_are_no_trace_and_a_trace_is_no_counts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="load counts of 2 layers and 3 experts, expected a rout"):
        load_routing(saved(tmp_path / "r.npz", load=np.ones((2, 3), int)))
    with pytest.raises(InputError, match="a routing trace, expected load counts"):
        load_counts(saved(tmp_path / "r.npz", routed_experts=ids(9, 2, 2)))


def test_what_is_read_is_written_in_our_own_form(tmp_path: Path) -> None:
    found = trace(saved(tmp_path / "r.npz", routed_experts=ids(9, 2, 2)))
    save_routing(tmp_path / "own.npz", found)
    assert np.array_equal(choices(tmp_path / "own.npz"), choices(tmp_path / "r.npz"))


def test_other_endings_are_named(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("1 2 3")
    with pytest.raises(InputError, match=r"ends in \.txt, expected one of \.npz, \.npy, \.csv"):
        read(tmp_path / "r.txt")
    (tmp_path / "r.pt").write_bytes(b"PK\x03\x04")  # a zip too, of pickles
    with pytest.raises(InputError, match=r"numpy.savez_compressed\(file, routed_experts="):
        read(tmp_path / "r.pt")
    saved(tmp_path / "r.npz", routed_experts=ids(9, 2, 2)).rename(tmp_path / "r.trace")
    assert trace(tmp_path / "r.trace").tokens == 9  # an archive by its content
    for name, said in (("x.trace", "No such file"), ("x" * 300 + ".trace", "name too long")):
        with pytest.raises(InputError, match=f"cannot be read: .*{said}.*, expected a routing"):
            read(tmp_path / name)


def test_broken_files_never_escape_as_anything_else(tmp_path: Path) -> None:
    data = saved(tmp_path / "r.npz", routed_experts=ids(40, 3, 2)).read_bytes()
    np.save(tmp_path / "r.npy", ids(40, 3, 2))
    plain = (tmp_path / "r.npy").read_bytes()
    refusals = 0
    for suffix, whole in ((".npz", data), (".npy", plain)):
        cuts = [whole[:end] for end in range(0, len(whole), 13)]
        flips = [
            whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :] for i in range(0, len(whole), 3)
        ]
        path = (tmp_path / "broken").with_suffix(suffix)
        for broken in cuts + flips:
            path.write_bytes(broken)
            try:
                read(path)
            except InputError:
                refusals += 1
    assert refusals > 100


def test_counts_of_other_experts_than_said(tmp_path: Path) -> None:
    path = saved(tmp_path / "r.npz", expert_load=np.ones((2, 8), dtype=np.int64))
    with pytest.raises(InputError, match="expert_load: 8 experts, but 6 are said"):
        read(path, "layers,experts", num_experts=6)


def test_axes_of_what_says_its_own(tmp_path: Path) -> None:
    """Scores are always [layers, tokens, experts]."""
    arrays = {"scores": np.zeros((1, 2, 4), np.float32), "num_experts": 4, "capacity": 1}
    with pytest.raises(InputError, match=r"--axes: tokens,layers,k, but .* holds scores; leave it"):
        read(saved(tmp_path / "r.npz", **arrays), "tokens,layers,k")


@pytest.mark.parametrize("experts", [0, 4097])
def test_a_number_of_experts_that_is_none(experts: int) -> None:
    with pytest.raises(InputError, match=f"--num-experts: {experts}, expected 1 to 4096"):
        Reading(num_experts=experts)


def test_ids_beyond_63_bits(tmp_path: Path) -> None:
    given = np.full((3, 2, 2), 2**63, dtype=np.uint64)
    with pytest.raises(InputError, match="routed_experts: 9223372036854775808, expected less than"):
        read(saved(tmp_path / "r.npz", routed_experts=given))
