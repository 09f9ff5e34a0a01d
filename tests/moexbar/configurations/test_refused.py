"""What no model can be made of is refused with file, field, what was found and what to do."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

import moexbar as mx
from ir.errors import InputError
from moexbar.configurations.known import READERS, REFUSED
from tests.moexbar.configurations.small import config


def refused(path: Path, *words: str) -> None:
    """The file is refused, and the error names it and has the words."""
    with pytest.raises(InputError) as error:
        mx.open_model(path)
    told = str(error.value)
    assert path.name in told
    for word in words:
        assert word in told, told


def written(folder: Path, found: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_an_unknown_family_is_told_the_known_ones(tmp_path: Path) -> None:
    refused(written(tmp_path, {"model_type": "bert"}), "'bert'", *READERS)


def test_no_model_type(tmp_path: Path) -> None:
    refused(
        written(tmp_path, {"architectures": ["LlamaMoEForCausalLM"]}),
        "model_type: missing",
        "LlamaMoEForCausalLM",
    )
    refused(written(tmp_path, {"layers": []}), "no model_type in it")
    refused(written(tmp_path, {"model_type": 3}), "model_type: missing")


@pytest.mark.parametrize("family", REFUSED)
def test_families_that_no_shape_is_made_of(family: str, tmp_path: Path) -> None:
    refused(written(tmp_path, {"model_type": family}), family, "export the model as ONNX")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"model_type": NaN}', "[" * 100_000])
def test_no_object(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    refused(tmp_path / "config.json", "expected a model's configuration")


def test_no_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    refused(tmp_path / "config.json", "not a regular file")
    refused(tmp_path / "none.json", "cannot be read")


def test_a_file_too_large(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(5 << 20)
    refused(tmp_path / "config.json", "5242880 bytes", "at most 4194304")


WRONG: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("mixtral", {"hidden_size": None}, ("hidden_size: missing",)),
    ("mixtral", {"num_hidden_layers": 10**9}, ("num_hidden_layers: 1000000000", "1 to 2000")),
    ("mixtral", {"num_hidden_layers": 0}, ("num_hidden_layers: 0",)),
    ("mixtral", {"hidden_size": "32"}, ("hidden_size: '32'", "a whole number")),
    ("mixtral", {"hidden_size": 32.0}, ("hidden_size: 32.0", "a whole number")),
    ("mixtral", {"hidden_size": True}, ("hidden_size: True", "a whole number")),
    ("mixtral", {"vocab_size": -1}, ("vocab_size: -1",)),
    ("mixtral", {"num_attention_heads": 5}, ("num_attention_heads: 5", "hidden_size 32")),
    ("mixtral", {"num_key_value_heads": 3}, ("num_key_value_heads: 3", "the 4 heads")),
    ("mixtral", {"head_dim": 7}, ("head_dim: 7", "an even width")),
    ("mixtral", {"num_local_experts": 10**6}, ("num_local_experts: 1000000",)),
    ("mixtral", {"num_experts_per_tok": 9}, ("9 experts of a token", "1 to 8")),
    ("mixtral", {"num_experts_per_tok": None}, ("num_experts_per_tok", "missing")),
    ("mixtral", {"intermediate_size": None}, ("width of the experts: missing",)),
    ("mixtral", {"hidden_act": "relu"}, ("hidden_act: 'relu'", "silu or gelu")),
    ("mixtral", {"rms_norm_eps": "tiny"}, ("rms_norm_eps: 'tiny'", "a number")),
    ("mixtral", {"tie_word_embeddings": "no"}, ("tie_word_embeddings: 'no'", "true or false")),
    ("mixtral", {"quantization_config": 4}, ("quantization_config: 4", "an object")),
    (
        "mixtral",
        {"quantization_config": {"quant_method": "gptq", "bits": 400}},
        ("bits: 400", "1 to 32"),
    ),
    (
        "mixtral",
        {"num_hidden_layers": 2000, "num_local_experts": 16384},
        ("2000 layers of 16384 experts", "at most 100000"),
    ),
    (
        "mixtral",
        {"hidden_size": 2**20, "intermediate_size": 2**20, "vocab_size": 2**20},
        ("weights, at most 1.8e+13",),
    ),
    ("qwen3_moe", {"mlp_only_layers": "all"}, ("mlp_only_layers: 'all'", "a list")),
    ("qwen3_moe", {"mlp_only_layers": [-1]}, ("mlp_only_layers: -1",)),
    ("deepseek_v3", {"kv_lora_rank": None}, ("kv_lora_rank: missing",)),
    ("deepseek_v3", {"n_group": 3}, ("n_group: 3", "the 8 experts")),
    ("deepseek_v3", {"n_group": 2, "topk_group": 3}, ("topk_group: 3", "at most the 2 groups")),
    ("deepseek_v3", {"qk_rope_head_dim": 3}, ("qk_rope_head_dim: 3", "an even number")),
    ("deepseek_v3", {"intermediate_size": None}, ("intermediate_size: missing or 0", "1 layers")),
    ("hunyuan_v1_moe", {"moe_topk": [1, 2]}, ("moe_topk: [1, 2]", "the same number")),
    ("jamba", {"attn_layer_period": 8}, ("attn_layer_period: 8", "Mamba", "export")),
    (
        "minimax",
        {"layer_types": ["linear_attention", "full_attention"]},
        ("layer 0", "linear_attention", "export"),
    ),
    ("minimax", {"attn_type_list": [1, 0]}, ("attn_type_list: layer 1 has linear attention",)),
    ("dbrx", {"ffn_config": {"moe_top_k": 2}}, ("ffn_config", "ffn_hidden_size: missing")),
]


@pytest.mark.parametrize(
    ("family", "changes", "words"), WRONG, ids=[f"{f} {c}"[:60] for f, c, _ in WRONG]
)
def test_a_field_that_cannot_be(
    family: str, changes: dict[str, Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    refused(written(tmp_path, config(family, **changes)), *words)


def test_words_of_a_file_are_printed_safely(tmp_path: Path) -> None:
    path = written(tmp_path, {"model_type": "\x1b[31mred" + "x" * 10_000})
    with pytest.raises(InputError) as error:
        mx.open_model(path)
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < 1500


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model of a configuration goes with what was opened, or at once where that fails."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    model = mx.open_model(written(tmp_path, config("mixtral")))
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    del model
    assert not list((tmp_path / "temporary").iterdir())

    def fail(_path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("moexbar.configurations.opened.open_model", fail)
    with pytest.raises(KeyboardInterrupt):
        mx.open_model(written(tmp_path, config("mixtral")))
    assert not list((tmp_path / "temporary").iterdir())
