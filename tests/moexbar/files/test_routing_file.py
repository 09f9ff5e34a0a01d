"""Routing traces: what is written is read back, and hostile files are refused before they cost."""

import io
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ir.errors import InputError
from ir.npz import ArchiveLimits
from ir.routing import Routing, select_sequences
from moexbar.files.routing_file import RoutingLimits, load_routing, save_routing

CHOICES = np.array([[[0, 1], [2, -1], [3, 0]], [[1, 0], [0, 2], [3, 1]]], dtype=np.int16)


def write(path: Path, **arrays: Any) -> Path:
    """Write a trace as a user's script would; None leaves an array out."""
    full: dict[str, Any] = {"choices": CHOICES, "num_experts": 4} | arrays
    np.savez_compressed(path, **{k: v for k, v in full.items() if v is not None})
    return path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def zipped(path: Path, members: list[tuple[str, bytes]], compression: int = 0) -> Path:
    """Write members one by one: names may repeat."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return path


GOOD = [("choices.npy", npy(CHOICES)), ("num_experts.npy", npy(np.array(4)))]


def refused(path: Path, message: str, limits: RoutingLimits | None = None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_routing(path, limits)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_token_choice_round_trip(tmp_path: Path) -> None:
    routing = Routing(
        layer=np.array([1, 3]),
        num_experts=np.array([4, 4]),
        sequence=np.array([0, 0, 5]),
        choices=CHOICES,
        weights=np.arange(12, dtype=np.float32).reshape(2, 3, 2),
    )
    save_routing(tmp_path / "r.npz", routing)
    found = load_routing(tmp_path / "r.npz")
    for name in ("layer", "num_experts", "sequence", "choices", "weights"):
        assert np.array_equal(getattr(found, name), getattr(routing, name)), name
        assert getattr(found, name).dtype == getattr(routing, name).dtype
    assert found.scores is None and found.capacity is None
    assert found.source == str(tmp_path / "r.npz")


def test_expert_choice_round_trip(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).random((1, 6, 3)).astype(np.float32)
    routing = Routing(
        layer=np.array([0]),
        num_experts=np.array([3]),
        sequence=np.array([0, 0, 0, 1, 1, 1]),
        scores=scores,
        capacity=np.array([2]),
    )
    save_routing(tmp_path / "r.npz", routing)
    found = load_routing(tmp_path / "r.npz")
    assert found.expert_choice and found.scores is not None and found.capacity is not None
    assert np.array_equal(found.scores, scores) and found.capacity.tolist() == [2]
    assert np.array_equal(found.matrix(0), routing.matrix(0))


def test_same_routing_same_bytes(tmp_path: Path) -> None:
    routing = load_routing(write(tmp_path / "r.npz"))
    save_routing(tmp_path / "a.npz", routing)
    save_routing(tmp_path / "b.npz", routing)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_optional_arrays_have_defaults_and_others_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "r.npz", domain=np.array([0, 0, 1]), domain_names=np.array(["a", "b"]))
    found = load_routing(path)
    assert found.layer.tolist() == [0, 1]
    assert found.num_experts.tolist() == [4, 4]  # a scalar counts for every layer
    assert found.sequence.tolist() == [0, 0, 0]
    assert found.weights is None


def test_wider_types_fortran_order_and_stored_archives(tmp_path: Path) -> None:
    wide = np.asfortranarray(CHOICES.astype(">i8"))
    np.savez(tmp_path / "r.npz", choices=wide, num_experts=np.array([4, 5], dtype=np.uint8))
    found = load_routing(tmp_path / "r.npz")
    assert found.choices is not None and found.choices.dtype == np.int16
    assert np.array_equal(found.choices, CHOICES)
    assert found.num_experts.tolist() == [4, 5]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"num_experts": None}, "num_experts: missing.*add it: numpy.savez_compressed"),
        ({"choices": None}, "found neither choices nor scores"),
        ({"scores": np.zeros((2, 3, 4), np.float32)}, "found choices and scores"),
        ({"choices": CHOICES[0]}, r"choices: shape \(3, 2\), expected three sizes"),
        ({"choices": CHOICES[:0]}, r"choices: shape \(0, 3, 2\)"),
        ({"choices": CHOICES[:, :0]}, r"choices: shape \(2, 0, 2\)"),
        ({"choices": CHOICES[:, :, :0]}, "at least 1: layers, tokens and k"),
        ({"choices": CHOICES + 0.5}, "choices: element type '<f8', expected integers"),
        ({"choices": CHOICES.astype("<i4") + 65536}, "ids from 65535 to 65539, expected -1 to 3"),
        ({"choices": CHOICES - 1}, "ids from -2"),
        ({"choices": CHOICES + 1}, "layer 0, token 2, position 0: expert 4, expected -1 or 0 to 3"),
        ({"choices": CHOICES * 0}, "layer 0, token 0: expert 0 twice"),
        ({"num_experts": 1}, "choices: k = 2, expected at most 1"),
        ({"num_experts": 0}, "num_experts: 0 to 0, expected 1 to 4096"),
        ({"num_experts": 10**6}, "num_experts: 1000000 to 1000000"),
        ({"num_experts": [4, 4, 4]}, r"num_experts: shape \(3,\), expected a scalar or \(2,\)"),
        ({"num_experts": np.uint64(2**63)}, "num_experts: 9223372036854775808"),
        ({"layer": [0, 0]}, "layer: expected different ids"),
        ({"layer": [0, -1]}, "layer: expected different ids of at least 0"),
        ({"layer": [0]}, r"layer: shape \(1,\), expected \(2,\)"),
        ({"sequence": [0, 0]}, r"sequence: shape \(2,\), expected \(3,\)"),
        ({"sequence": [1, 0, 0]}, "sequence: decreases at token 1"),
        ({"sequence": np.array(["a", "b", "c"])}, "sequence: element type '<U1'"),
        ({"weights": np.zeros((2, 3, 1))}, r"weights: shape \(2, 3, 1\)"),
        ({"weights": np.full((2, 3, 2), np.nan)}, "weights: layer 0, token 0, position 0: nan"),
        ({"choices": CHOICES.astype(object)}, "choices: element type '|O', expected integers"),
        ({"choices": np.zeros((2, 3, 2), "i4,i4")}, "choices: unreadable header"),
    ],
)
def test_token_choice_refusals(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    refused(write(tmp_path / "r.npz", **arrays), message)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"capacity": None}, "capacity: missing.*add it"),
        ({"capacity": -1}, "capacity: -1, expected at least 0"),
        ({"capacity": [1, 2, 3]}, r"capacity: shape \(3,\)"),
        ({"num_experts": 5}, r"scores: shape \(2, 3, 4\), expected \(2, 3, 5\)"),
        ({"scores": np.full((2, 3, 4), np.inf)}, "scores: layer 0, token 0, expert 0: inf"),
        ({"scores": np.full((2, 3, 4), 1e300)}, "scores: layer 0, token 0, expert 0: inf"),
        ({"decode": 1}, r"capacity: shape \(\), expected \(2, 2\): per layer, for the prefill"),
        ({"decode": -1}, "decode: -1, expected one number, with scores"),
        ({"decode": [0] * 10_000}, r"decode: \[0, 0, 0.{20,40}\.\.\., expected one number, with"),
    ],
)
def test_expert_choice_refusals(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    base = {"choices": None, "scores": np.zeros((2, 3, 4), np.float32), "capacity": 2}
    assert load_routing(write(tmp_path / "good.npz", **base)).expert_choice
    refused(write(tmp_path / "r.npz", **(base | arrays)), message)


def test_an_unused_weight_may_be_anything(tmp_path: Path) -> None:
    weights = np.ones((2, 3, 2), np.float32)
    weights[0, 1, 1] = np.nan  # where CHOICES has -1
    assert load_routing(write(tmp_path / "r.npz", weights=weights)).weights is not None


def test_zip_bomb_is_refused_before_inflating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 256 MiB of zeros in about 260 KB; limit 64 MiB. Nothing near that size may be allocated, and
    # no member is opened.
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(*GOOD[1])
        with archive.open("choices.npy", "w") as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "<i2", "fortran_order": False, "shape": (2, 2**25, 2)}
            )
            for _ in range(256):
                member.write(bytes(2**20))
    assert path.stat().st_size < 400_000

    def opened(*_: object) -> None:
        raise AssertionError("a member was opened")

    monkeypatch.setattr(zipfile.ZipFile, "open", opened)
    tracemalloc.start()
    refused(path, "choices: 2684.* bytes when inflated with the others, limit 67108864; .*raise")
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()


def test_size_that_the_directory_understates(tmp_path: Path) -> None:
    data = zipped(tmp_path / "r.npz", GOOD, zipfile.ZIP_DEFLATED).read_bytes()
    size = len(GOOD[0][1])
    at = data.index(b"PK\x01\x02") + 24
    assert data[at : at + 4] == size.to_bytes(4, "little")
    (tmp_path / "r.npz").write_bytes(data[:at] + (size - 4).to_bytes(4, "little") + data[at + 4 :])
    refused(tmp_path / "r.npz", "choices|Bad CRC")  # zipfile stops at the declared size


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([*GOOD, GOOD[0]], "member 'choices.npy': found twice"),
        ([*GOOD, ("../evil.npy", b"")], r"member '../evil.npy': expected a name like"),
        ([*GOOD, ("/etc/x.npy", b"")], "member '/etc/x.npy'"),
        ([*GOOD, ("a\\b.npy", b"")], "expected a name like"),
        ([*GOOD, ("\x1b[31m\n.npy", b"")], "expected a name like"),
        ([*GOOD, ("readme.txt", b"")], "member 'readme.txt'"),
        ([(f"a{i}.npy", b"") for i in range(65)], "65 members, limit 64"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_names(tmp_path: Path, members: list[tuple[str, bytes]], message: str) -> None:
    refused(zipped(tmp_path / "r.npz", members), message)


def test_a_name_that_ends_early_for_some_readers(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.npz", [*GOOD, ("weights.npy_.npy", b"")])
    path.write_bytes(path.read_bytes().replace(b"weights.npy_", b"weights.npy\0"))
    refused(path, r"member 'weights.npy\\x00.npy': expected a name like")


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    encoded = text.encode() + b"\n"
    return b"\x93NUMPY" + version + len(encoded).to_bytes(2, "little") + encoded


FORM = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(FORM.format("<i2", "(2, -3, 2)")), r"shape \(2, -3, 2\), expected up to 8 sizes"),
        (header(FORM.format("<i2", "(1099511627776, 1099511627776)")), "needs 2417851639229258"),
        (header(FORM.format("<i2", "(9999999999999999999, 1)")), "expected up to 8 sizes"),
        (header(FORM.format("<i2", "(1,1,1,1,1,1,1,1,1)")), "expected up to 8 sizes"),
        (header(FORM.format("<i2", "(2, 3, 2)")), "needs 24 bytes, found 0"),
        (header(FORM.format("<i2", "()")) + b"123", "scalar of int16 needs 2 bytes, found 3"),
        (header(FORM.format("|O", "(2, 3, 2)")), r"element type '\|O', expected integers"),
        (header(FORM.format("<i3", "(2,)")), "element type '<i3'"),
        (header(FORM.format("<f1", "(2,)")), "element type '<f1'"),
        (header(FORM.format("<V8", "(2,)")), "element type '<V8'"),
        (header("(" * 4000), "unreadable header"),
        (header("__import__('os').abort()"), "unreadable header"),
        (header(" " * 5000), "header of 5001 bytes, limit 4096"),
        (header("x", b"\x03\x00"), "not a numpy array of format version"),
        (b"", "not a numpy array"),
        (b"\x93NUMPY\x01\x00\xff\x00{", "unreadable header"),
    ],
)
def test_array_headers(tmp_path: Path, data: bytes, message: str) -> None:
    refused(zipped(tmp_path / "r.npz", [("choices.npy", data), GOOD[1]]), f"choices: .*{message}")


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    refused(tmp_path / "missing.npz", "No such file")
    refused(tmp_path, r"a folder, expected an \.npz archive")
    os.mkfifo(tmp_path / "fifo")
    refused(tmp_path / "fifo", "not a regular file")  # and does not wait for a writer
    for name, data in (("empty", b""), ("text", b"hello world"), ("npy", npy(CHOICES))):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, "not a zip archive, expected one written by numpy.savez")
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(3 * 2**30)
    refused(sparse, "not a zip archive")


def test_broken_archives_never_escape_as_anything_else(tmp_path: Path) -> None:
    """Every cut and many flipped bytes: an InputError, or a file that still reads."""
    data = zipped(tmp_path / "r.npz", GOOD, zipfile.ZIP_DEFLATED).read_bytes()
    path = tmp_path / "broken.npz"
    refusals = 0
    cuts = [data[:end] for end in range(0, len(data), 7)]
    flips = [data[:i] + bytes([data[i] ^ 0x55]) + data[i + 1 :] for i in range(len(data))]
    for broken in cuts + flips:
        path.write_bytes(broken)
        try:
            load_routing(path)
        except InputError:
            refusals += 1
    assert refusals > len(cuts)


def test_long_member_lists_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(2000):
            archive.writestr(f"{i:040d}.npy", b"")
    refused(path, "a member list of .* bytes, limit 65536")


def test_limits_can_be_raised_and_lowered(tmp_path: Path) -> None:
    path = write(tmp_path / "r.npz")
    tight = RoutingLimits(ArchiveLimits(bytes=100))
    refused(path, "choices: .* limit 100", tight)
    refused(path, "3 tokens x 4 experts, limit 11", RoutingLimits(cells=11))
    refused(path, "num_experts: 4 to 4, expected 1 to 3", RoutingLimits(experts=3))
    assert load_routing(path, RoutingLimits(cells=12, experts=4)).tokens == 3


def trace_of(lengths: list[int]) -> Routing:
    tokens = sum(lengths)
    return Routing(
        layer=np.array([0]),
        num_experts=np.array([2]),
        sequence=np.repeat(np.arange(len(lengths)) * 3, lengths),
        choices=np.zeros((1, tokens, 1), dtype=np.int16),
    )


def test_select_sequences_keeps_them_whole() -> None:
    routing = trace_of([5, 1, 2, 7])
    assert select_sequences(routing, (0, 0.5)) == (0, 6)
    assert select_sequences(routing, (0.5, 1)) == (6, 15)
    assert select_sequences(routing, (0, 1)) == (0, 15)
    assert select_sequences(routing, (0.3, 0.6)) == (5, 6)  # 1.2 -> 1, 2.4 -> 2


def test_select_sequences_is_not_upset_by_rounding() -> None:
    # 0.29 * 100 = 28.999999999999996 in floating point
    assert select_sequences(trace_of([1] * 100), (0, 0.29)) == (0, 29)


@pytest.mark.parametrize("span", [(0.5, 0.5), (0.6, 0.5), (-0.1, 1), (0, 1.1), (0, float("nan"))])
def test_select_sequences_refuses_odd_ranges(span: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="expected LOW:HIGH"):
        select_sequences(trace_of([1, 1]), span)


def test_select_sequences_needs_one() -> None:
    with pytest.raises(InputError, match=r"0:0\.4 of 2 sequences holds none"):
        select_sequences(trace_of([9, 9]), (0, 0.4))


def test_a_single_sequence_is_cut_by_tokens() -> None:
    assert select_sequences(trace_of([9]), (0, 0.5)) == (0, 4)
    assert select_sequences(trace_of([9]), (0.5, 1)) == (4, 9)
    with pytest.raises(InputError, match=r"of 1 tokens holds none"):
        select_sequences(trace_of([1]), (0, 0.5))
