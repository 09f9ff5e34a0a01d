"""Documents that cannot be: mapping.json, report.json, manifest.json and compare.json damaged."""

from tests.hostile.damage import GONE, Bad, at, content, cut, document, replaced

NESTED = b'{"blocks": ' + b"[" * 3000 + b"]" * 3000 + b"}"
MANY = b"[" + b"[]," * 5_000_000 + b"[]]"

OF_ALL: dict[str, Bad] = {
    "nothing": Bad("line 1, column 1: .*, expected JSON", content(b"")),
    "half": Bad(r"line \d+, column \d+: .*, expected JSON", cut(0.5)),
    "a list": Bad("found a list, expected an object|no object", content(b"[]")),
    "not UTF-8": Bad("byte 1: not UTF-8, expected JSON", content(b'"\xff"')),
    "UTF-16": Bad("byte 0: not UTF-8", content('{"a": 1}'.encode("utf-16"))),
    "nested": Bad("JSON: 3,001 levels, limit document_depth = 64", content(NESTED)),
    "fifteen million bytes of lists": Bad(
        "JSON: 10,000,003 values, limit document_v", content(MANY)
    ),
    "a number of 10,000 digits": Bad(
        "not readable as JSON", content(b'{"a": ' + b"9" * 9999 + b"}")
    ),
    "Infinity": Bad("not readable as JSON: Infinity", content(b'{"schema": Infinity}')),
}

MAPPING: dict[str, Bad] = {
    "a newer form": Bad("schema: of form 99, expected 1 to", at("schema", 99)),
    "of another model": Bad("model.sha256: made for another model", at("model.sha256", "0" * 64)),
    "no blocks": Bad("blocks: missing", at("blocks", GONE)),
    "blocks of text": Bad("blocks: found 'x', expected a list", at("blocks", "x")),
    "an operator of none": Bad(
        r"blocks\[0\].operator: 'nobody'", at("blocks.0.operator", "nobody")
    ),
    "an operator of a list": Bad(
        r"blocks\[0\].operator: found a list", at("blocks.0.operator", [])
    ),
    "a tensor of another": Bad(
        r"blocks\[0\].tensor: is not the model's", at("blocks.0.tensor", "w")
    ),
    "a shape of another": Bad(r"blocks\[0\].shape: is not the mod", at("blocks.0.shape", [1, 2])),
    "a shape of three": Bad(
        r"blocks\[0\].shape: 3 values, expected 2", at("blocks.0.shape", [1, 2, 3])
    ),
    "rows of none": Bad(r"blocks\[0\].rows: 0, expected a whole", at("blocks.0.rows", 0)),
    "2^31 rows": Bad(r"blocks\[0\].pg_start: PG .* of", at("blocks.0.rows", 2**31)),
    "2^62 rows": Bad(r"blocks\[0\].rows: 4611686018427387904, ex", at("blocks.0.rows", 2**62)),
    "a role of none": Bad(r"blocks\[0\].role: found 'x', expected one", at("blocks.0.role", "x")),
    "a PG beyond": Bad(r"blocks\[0\].pg_start: PG \d+ of", at("blocks.0.pg_start", 10**6)),
    "a PG below": Bad(r"blocks\[0\].pg_start: -1, expected", at("blocks.0.pg_start", -1)),
    "no spot": Bad(r"blocks\[0\].spots.corner: missing", at("blocks.0.spots", {})),
    "a spot of two": Bad(r"blocks\[0\].spots.corner: 2 val", at("blocks.0.spots.corner", [0, 0])),
    "a spot below": Bad(r"blocks\[0\].spots.corner: -1", at("blocks.0.spots.corner", [0, 0, -1])),
    "a spot beyond": Bad("crossbars|mux|position", at("blocks.0.spots.corner", [0, 9999, 0]), 4),
    "an expert of two kinds": Bad(
        r"blocks\[0\]: expert 0",
        document((("blocks", 0, "expert"), 0), (("blocks", 0, "shared"), 0)),
    ),
    "a copy too many": Bad(r"blocks\[0\]: expert -1, replica 7", at("blocks.0.replica", 7)),
    "runs of three": Bad(r"pg_core\[0\]: 3 values, expected 2", at("pg_core.0", [0, 1, 2])),
    "a billion PGs": Bad("pg_core: more than 2.28 peripheral", at("pg_core.0", [0, 10**9])),
    "a core beyond": Bad("pg_core: a peripheral group on core 5000", at("pg_core.0", [5000, 99])),
    "a core below": Bad(r"pg_core\[0\]: -3, expected", at("pg_core.0", [-3, 99])),
    "a mesh of none": Bad("mesh.width: found None", at("mesh.width", None)),
    "a mesh of 2^40": Bad(
        "mesh: size: 1099511627776 x .* cores, expected at most", at("mesh.width", 2**40)
    ),
    "groups twice": Bad(
        "grouping of layer 0: group 0 holds an expert twice", at("groups.0.groups.0", [0, 0, 1])
    ),
    "groups with holes": Bad(
        r"groups\[0\]: experts .*, expected each from 0", at("groups.0.groups", [[5]])
    ),
    "an expert of 2^40": Bad(r"groups\[0\]: experts", at("groups.0.groups.0", [2**40])),
    "digital and in groups": Bad(r"experts \[0\] are in groups", at("groups.0.digital", [0])),
    "a region's die": Bad(
        r"regions\[0\].die: 3, expected a whole number from 0", at("regions.0.die", 3)
    ),
    "a region below": Bad(r"regions\[0\].x: -1, expected", at("regions.0.x", -1)),
    "a region elsewhere": Bad("region", at("regions.0.x", 10**6), 4),
    "16,000 dies": Bad(
        "dies: 16000 dies, not joined as", at("dies", {"count": 16000, "joined": [], "columns": 0})
    ),
    "dies joined to themselves": Bad(
        "dies.joined: ", at("dies", {"count": 2, "joined": [[1, 1]], "columns": 0})
    ),
    "a stack of texts": Bad(
        r"stacks\[0\]\[0\].layer: found 'x'",
        at("stacks", [[{"layer": "x", "stage": 0, "group": 0}]]),
    ),
    "a stack twice": Bad("each once", at("stacks", [[{"layer": 0, "stage": 0, "group": 0}] * 2])),
    "copies below none": Bad("dense_copies: -1, expected", at("dense_copies", -1)),
}

_FIELDS = "chip.fields"
REPORT: dict[str, Bad] = {
    "a newer form": Bad("schema: of form 99, expected 1 to", at("schema", 99)),
    "a form of none": Bad("schema: of form 0, expected 1 to", at("schema", 0)),
    "no chip": Bad("chip: missing", at("chip", GONE)),
    "a chip of text": Bad("chip: ", at("chip", "hermes")),
    "no window": Bad("window: missing", at("window", GONE)),
    "another window": Bad("window.prefill: |score range|3 tokens|tokens", at("window.prefill", 3)),
    "tokens that are not there": Bad("window.tokens: 7, but", at("window.tokens", 7)),
    "a first token below": Bad("window.first_token: -1, but", at("window.first_token", -1)),
    "2^40 tokens": Bad(
        "window.prefill: 1,099,511,627,77., limit|window.*limit tokens", at("window.prefill", 2**40)
    ),
    "tokens of text": Bad("window.tokens: found 'four', expected", at("window.tokens", "four")),
    "a range of three": Bad("window.score_tokens: 3 values", at("window.score_tokens", [0, 1, 2])),
    "a batch of none": Bad("window.batch: 0, expected at least 1", at("window.batch", 0)),
    "another time": Bad(
        r"methods\[0\].time_ns: 1.0, but program.parquet gives", at("methods.0.time_ns", 1.0)
    ),
    "another energy": Bad(
        r"methods\[0\].energy_nj: 1.0, but", at("methods.0.energy_nj.total", 1.0)
    ),
    "another area": Bad(r"methods\[0\].area_mm2: 1.0, but", at("methods.0.area_mm2.total", 1.0)),
    "other MACs": Bad(r"methods\[0\].macs: 1, but program.parquet", at("methods.0.macs", 1)),
    "no methods": Bad("methods: the last one has no figures", at("methods", [])),
    "a time of 1e308": Bad(r"methods\[0\].time_ns: found 1e\+308", at("methods.0.time_ns", 1e308)),
    "MACs of 10^30": Bad(r"methods\[0\].macs: found 1000", at("methods.0.macs", 10**30)),
    "a multiplexer of none": Bad("chip crossbar.rows: missing", at(f"{_FIELDS}", {})),
    "no crossbar rows": Bad(
        "chip crossbar.rows: ", document((("chip", "fields", "crossbar.rows", "value"), "x"))
    ),
    "rows below none": Bad(
        "chip crossbar.rows: found -1", document((("chip", "fields", "crossbar.rows", "value"), -1))
    ),
    "no rows at all": Bad(
        "crossbar.rows", document((("chip", "fields", "crossbar.rows", "value"), 0))
    ),
    "a read of 10^18 ps": Bad(
        "chip mvm.read_ps: found", document((("chip", "fields", "mvm.read_ps", "value"), 10**18))
    ),
    "a read of true": Bad(
        "chip mvm.read_ps: found True", document((("chip", "fields", "mvm.read_ps", "value"), True))
    ),
    "executed by nobody": Bad("executed: found 3, expected", at("executed", 3)),
    "an experts' kind": Bad("model.experts: found 'odd'", at("model.experts", "odd")),
}

MANIFEST: dict[str, Bad] = {
    "a newer form": Bad("manifest.json: form: of form 99, expected 1 to 2", at("form", 99)),
    "no version": Bad("manifest.json: moexbar: expected a version", at("moexbar", GONE)),
    "another command": Bad("holds an output of `moexbar group`", at("command", "group")),
    "no inputs": Bad("manifest.json: does not say what was compiled", at("inputs", GONE)),
    "inputs of text": Bad("manifest.json: does not say what was compiled", at("inputs", "x")),
    "no model": Bad("compiled without model", at("inputs.model", GONE)),
    "a model of a list": Bad("compiled without model", at("inputs.model", [])),
    "another model": Bad(
        "is not the model that .* was compiled from", at("inputs.model.sha256", "0")
    ),
    "a model elsewhere": Bad(
        "is not the model|cannot be read",
        document(
            (("inputs", "model", "path"), "../../../etc/passwd"),
            (("inputs", "model", "sha256"), "0"),
        ),
    ),
    "an escape in a path": Bad(
        r"x1b",
        document((("inputs", "model", "path"), "\x1b[2J"), (("inputs", "model", "sha256"), "0")),
    ),
}

SEALED: dict[str, Bad] = {
    "a seal of another": Bad("manifest.json: seal: does not fit the rest", at("seal", "0" * 64)),
    "no seal": Bad("manifest.json: seal: does not fit the rest", at("seal", GONE)),
    "another digest": Bad(
        "manifest.json: seal: ", replaced(b'"program.parquet": "', b'"program.parquet": "0')
    ),
}
