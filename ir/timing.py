"""Time, energy and bytes of ONE instruction on a chip: the single source for all stages.

Every function takes the chip and the size of the job and returns a `Cost`. Formulas are those of
docs/model.md, section Timing, and of the reference simulator's tables (3D-CiM, IBM; hops and
digital operations per 256 values), each stated where it is used. Rounding is up, to whole
picoseconds.
"""

from dataclasses import dataclass

from ir.chip import VALUES_PER_PACKET, Chip

SAMPLE_VALUES = 4  # a token's number: as much as four values


@dataclass(frozen=True)
class Cost:
    """duration_ps until the result is there; busy_ps until the unit takes its next job."""

    duration_ps: int
    busy_ps: int
    energy_fj: int
    bytes: int = 0


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _per_packet(amount: int, values: int) -> int:
    """`amount` per 256 values, scaled to `values`, rounded up."""
    return _ceil(amount * values, VALUES_PER_PACKET)


def _job(duration_ps: int, energy_fj: int, data: int = 0) -> Cost:
    return Cost(duration_ps, duration_ps, energy_fj, data)


def mvm_ps(chip: Chip, *, shared: bool) -> int:
    """Time of one MVM: ceil(input/dac bits) x max(read, columns per ADC x conversion) + drain.

    `shared`: behind a multiplexed peripheral group, whose switch must settle first (mux > 1).
    """
    cycle = max(chip.mvm.read_ps, chip.mvm.columns_per_adc * chip.mvm.conversion_ps)
    settle = chip.pg.mux_settle_ps if shared and chip.pg.mux > 1 else 0
    return chip.mvm.cycles * cycle + chip.mvm.drain_ps + settle


def mvm(chip: Chip, crossbars: int, *, shared: bool) -> Cost:
    """`crossbars` tiles fire together: one MVM time, the energy of each and of its ports."""
    energy = crossbars * (chip.mvm.cycles * chip.mvm.cycle_fj + chip.mvm.port_fj)
    return _job(mvm_ps(chip, shared=shared), energy)


def bus_bits_per_ns(chip: Chip, d_model: int) -> int | None:
    """Width of a region's broadcast bus: B vectors of d_model per MVM time; None = unlimited."""
    if chip.bus.bits_per_ns is not None:
        return chip.bus.bits_per_ns
    if chip.bus.transfers_per_slot is None:
        return None
    bits = chip.bus.transfers_per_slot * d_model * chip.mvm.input_bits
    return _ceil(bits * 1000, mvm_ps(chip, shared=True))


def _link_ps(chip: Chip, bits: int, d_model: int, lanes: int) -> int:
    """Time of `bits` over `lanes` buses sized for d_model (exact: not by the rounded width)."""
    if chip.bus.bits_per_ns is not None:
        return _ceil(bits * 1000, chip.bus.bits_per_ns * lanes) + chip.bus.latency_ps
    if chip.bus.transfers_per_slot is None:
        return chip.bus.latency_ps
    per_slot = chip.bus.transfers_per_slot * d_model * chip.mvm.input_bits * lanes
    return _ceil(bits * mvm_ps(chip, shared=True), per_slot) + chip.bus.latency_ps


def _link(chip: Chip, bits: int, d_model: int, lanes: int) -> Cost:
    duration = _link_ps(chip, bits, d_model, lanes)
    unlimited = chip.bus.bits_per_ns is None and chip.bus.transfers_per_slot is None
    busy = 0 if unlimited else duration - chip.bus.latency_ps
    return Cost(duration, busy, bits * chip.bus.bit_fj, _ceil(bits, 8))


def load(chip: Chip, values: int, d_model: int) -> Cost:
    """One token vector broadcast: values x input_bits over the region's bus."""
    return _link(chip, values * chip.mvm.input_bits, d_model, 1)


def store(chip: Chip, values: int, d_model: int, lanes: int, hops: int = 0) -> Cost:
    """One result vector back over the return link of `lanes` bus widths.

    The link starts `hops` mesh links away: a hop time each before the first bits are there, during
    which the link already serves others, and a hop's energy for each packet of 256 values. Neither
    where distances are flat.
    """
    bits = values * chip.mvm.output_bits
    hops = 0 if chip.mesh.distance == "flat" else hops
    link, packets = _link(chip, bits, d_model, lanes), _ceil(bits, VALUES_PER_PACKET * 8)
    return Cost(
        link.duration_ps + hops * chip.mesh.hop_ps,
        link.busy_ps,
        link.energy_fj + hops * packets * chip.mesh.hop_fj,
        link.bytes,
    )


def xfer(chip: Chip, values: int, hops: int, ports: int = 1) -> Cost:
    """A vector over `hops` mesh links, in packets of 256 values.

    A core has one port to the mesh. What lies in several cores, as the columns of a large matrix
    do, goes through their `ports` side by side; the packets of one port follow each other. Where
    distances are flat: one hop's time.
    """
    packets = _ceil(values * chip.mvm.output_bits, VALUES_PER_PACKET * 8)
    data = _ceil(values * chip.mvm.output_bits, 8)
    if chip.mesh.distance == "flat":
        return Cost(chip.mesh.hop_ps, 0, 0, data)
    in_series = _ceil(packets, ports)
    duration = (hops + in_series - 1) * chip.mesh.hop_ps if hops else 0
    busy = min(duration, in_series * chip.mesh.hop_ps)
    return Cost(duration, busy, hops * packets * chip.mesh.hop_fj, data)


def accumulate(chip: Chip, rows: int, columns: int, values: int, *, bias: bool) -> Cost:
    """Partial sums of `columns` tile columns, `rows` tiles each, `values` outputs per column.

    pg: a chain of neighbours, (rows - 1) x (hop + add), all columns side by side, pipelined with
    one result per hop + add. dpu: (rows - 1) adds one after another on one digital unit, for ONE
    column (`columns` jobs are emitted). A bias is one more add.
    """
    one_add = add(chip, values)
    adds = rows - 1 + bias
    if chip.accumulate.where == "dpu":
        return _job(adds * one_add.duration_ps, adds * one_add.energy_fj)
    bits = values * chip.accumulate.psum_bits
    hop_ps = _ceil(chip.accumulate.hop_ps * bits, VALUES_PER_PACKET * 8)
    hop_fj = _ceil(chip.accumulate.hop_fj * bits, VALUES_PER_PACKET * 8)
    duration = (rows - 1) * hop_ps + adds * one_add.duration_ps
    energy = columns * ((rows - 1) * hop_fj + adds * one_add.energy_fj)
    return Cost(duration, min(duration, hop_ps + one_add.duration_ps), energy)


def add(chip: Chip, values: int) -> Cost:
    """Element-wise add or multiply of vectors: 4 ns + 8 ns per 256 values, 9.43 pJ per 256."""
    duration = chip.digital.add_base_ps + _per_packet(chip.digital.add_ps, values)
    return _job(duration, _per_packet(chip.digital.add_fj, values))


def norm(chip: Chip, values: int) -> Cost:
    """LayerNorm or RMSNorm of one vector."""
    return _job(
        _per_packet(chip.digital.norm_ps, values), _per_packet(chip.digital.norm_fj, values)
    )


def act(chip: Chip, values: int) -> Cost:
    """Activation function of one vector: a fixed time per job (ReLU 1 ns in the reference)."""
    return _job(chip.digital.act_ps, _per_packet(chip.digital.act_fj, values))


def macs(chip: Chip, count: int) -> Cost:
    """Products of two activations, or a digital router: multiply-accumulates of one unit."""
    duration = _ceil(count * 1000, chip.digital.macs_per_ns)
    return _job(duration, count * chip.digital.mac_fj)


def topk(chip: Chip, experts: int, k: int) -> Cost:
    """K passes over the scores, each counted as an element-wise operation (assumed).

    The reference selects in no time.
    """
    if chip.digital.accounting == "reference":
        return _job(0, 0)
    once = add(chip, experts)
    return _job(k * once.duration_ps, k * once.energy_fj)


def gate(
    chip: Chip,
    d_model: int,
    experts: int,
    shared: int,
    *,
    on_crossbar: bool,
    scored: int | None = None,
) -> Cost:
    """Scores of a token: `experts` of the router and `shared` gates of shared experts.

    Products of d_model values on a digital unit; those of the router of `scored` values, where it
    reads another vector than its experts. The router's may come from crossbars, and then take one
    element-wise pass (none in the reference).
    """
    of_router = 0 if on_crossbar else experts * (d_model if scored is None else scored)
    products = macs(chip, of_router + d_model * shared)
    if not on_crossbar:
        return products
    taken = _job(0, 0) if chip.digital.accounting == "reference" else digital(chip, experts)
    if not shared:
        return taken
    return _job(products.duration_ps + taken.duration_ps, products.energy_fj + taken.energy_fj)


def combine(
    chip: Chip, vectors: int, weighted: int, values: int, hidden: int, *, scaled: bool = False
) -> Cost:
    """Sum of `vectors` vectors, `weighted` of them times a number of their own.

    One add fewer than vectors, a multiply for each weighted one, and one more where the routed sum
    is scaled by a constant; at least one operation, which writes zeros. The reference counts the
    adds alone, each as wide as an expert's `hidden` layer and in whole nanoseconds.
    """
    if chip.digital.accounting == "reference":
        narrow, adds = add(chip, hidden), max(0, vectors - 1)
        return _job(adds * _ceil(narrow.duration_ps, 1000) * 1000, adds * narrow.energy_fj)
    once = add(chip, values)
    jobs = max(1, vectors - 1 + weighted + scaled)
    return _job(jobs * once.duration_ps, jobs * once.energy_fj)


def attention_macs(queries: int, keys: int, heads: int, head_dim: int, *, causal: bool) -> int:
    """Scores and weighted values: 2 x heads x head_dim per (query, key) pair.

    The queries are the newest of the `keys` tokens; a causal one sees those up to itself.
    """
    unseen = queries * (queries - 1) // 2 if causal else 0
    return 2 * (queries * keys - unseen) * heads * head_dim


def attention(
    chip: Chip, queries: int, keys: int, heads: int, head_dim: int, *, causal: bool
) -> Cost:
    """Scores and weighted values of a sequence's newest tokens on one attention unit.

    macs: `attention_macs` over the stated MAC rate. polynomial: the reference's
    ceil(s^2 (1.064e-4 d + 1.521e-5 d^2)) ns for all s tokens, halved when causal, and 0.557225 s^2
    d pJ, halved likewise (fitted at d <= 1024; chip `paper` only); for fewer queries their share of
    both, which for one is the reference's division by s.
    """
    width = heads * head_dim
    if chip.digital.attention == "macs":
        return macs(chip, attention_macs(queries, keys, heads, head_dim, causal=causal))
    # 1.064e-4 d + 1.521e-5 d^2 in units of 1e-8 ns keeps the arithmetic in integers
    whole_ns = _ceil(keys * keys * (10640 * width + 1521 * width * width), 10**8)
    part = keys * (2 if causal else 1)
    energy = keys * keys * width * 557225 // 1000
    return _job(whole_ns * 1000 * queries // part, energy * queries // part)


def sample(chip: Chip) -> Cost:
    """The choice of the next token from its scores: a fixed time, no published energy."""
    return _job(chip.digital.sample_ps, 0)


def dram(chip: Chip, data: int) -> Cost:
    """`data` bytes over the memory port at its bandwidth and active power."""
    duration = _ceil(data * 10**6, chip.memory.dram_mb_per_s)
    # microwatt x picosecond = 1e-18 J = 1e-3 fJ
    return _job(duration, duration * chip.memory.dram_active_uw // 1000, data)


def key_bytes(chip: Chip, kv_heads: int, head_dim: int) -> int:
    """Bytes of one token's key and value in the cache."""
    return _ceil(2 * kv_heads * head_dim * chip.mvm.output_bits, 8)


def score_bytes(experts: int, tokens: int) -> int:
    """Bytes of `tokens` scores of each expert, two each as GATE writes them."""
    return 2 * experts * tokens


def reference_go_bytes(tokens: int, experts: int, d_model: int) -> int:
    """The GO cache by the formula of arXiv 2602.10254, T x E + E x d: a byte for each entry."""
    return tokens * experts + experts * d_model


def reads_in_series(chip: Chip) -> bool:
    """Whether the caches are accounted for as the reference does (see Memory.accounting)."""
    return chip.memory.accounting == "reference"


def top_tokens(chip: Chip, scored: int, kept: int, experts: int) -> Cost:
    """Expert choice: every expert picks among tokens.

    A prefill takes as many passes over the scores as there are experts, one per column (assumed).
    One that arrives later is compared with the `kept` scores of every expert, in one pass. The
    reference selects in no time.
    """
    if kept and chip.digital.accounting == "full":
        return add(chip, (kept + scored) * experts)
    return topk(chip, scored, experts)


def with_products(chip: Chip, work: Cost, count: int, data: int) -> Cost:
    """Element-wise `work` and products with matrices that no crossbar holds, on one digital unit.

    `data` bytes of weights come from DRAM, then `count` multiply-accumulates are done, then the
    rest: one after the other, as a digital unit has no store for weights (assumed).
    """
    if not count and not data:
        return work
    parts = (dram(chip, data), macs(chip, count), work)
    return _job(sum(p.duration_ps for p in parts), sum(p.energy_fj for p in parts))


def digital(chip: Chip, elements: int) -> Cost:
    """Any other element-wise work: `elements` outputs, counted as adds."""
    return add(chip, elements)
