"""Operations of the digital and attention units."""

from ir.chip import Chip
from ir.passes import ON_THE_WAY, Passes
from ir.timing.cost import Cost, ceil, job, per_packet

SAMPLE_VALUES = 4  # a token's number: as much as four values


def add(chip: Chip, values: int) -> Cost:
    """Element-wise add or multiply of vectors: 4 ns + 8 ns per 256 values, 9.43 pJ per 256."""
    duration = chip.digital.add_base_ps + per_packet(chip.digital.add_ps, values)
    return job(duration, per_packet(chip.digital.add_fj, values))


def norm(chip: Chip, values: int) -> Cost:
    """LayerNorm or RMSNorm of one vector."""
    return job(per_packet(chip.digital.norm_ps, values), per_packet(chip.digital.norm_fj, values))


def act(chip: Chip, values: int, passes: Passes) -> Cost:
    """A curve of one vector, by what it takes (`ir.passes`).

    One that clips takes ReLU's fixed time; any other its smooth and its element-wise passes, one
    after another, and clips on the way. The reference knows ReLU alone.
    """
    if passes == ON_THE_WAY or chip.digital.accounting == "reference":
        return job(chip.digital.relu_ps, per_packet(chip.digital.relu_fj, values))
    curve, once = _smooth(chip, values), add(chip, values)
    return job(
        passes.smooth * curve.duration_ps + passes.products * once.duration_ps,
        passes.smooth * curve.energy_fj + passes.products * once.energy_fj,
    )


def _smooth(chip: Chip, values: int) -> Cost:
    """One pass of a smooth curve: 6 ns + 16 ns and 9.63 pJ per 256 values, those of GeLU."""
    duration = chip.digital.smooth_base_ps + per_packet(chip.digital.smooth_ps, values)
    return job(duration, per_packet(chip.digital.smooth_fj, values))


def macs(chip: Chip, count: int) -> Cost:
    """Products of two activations, or a digital router: multiply-accumulates of one unit."""
    duration = ceil(count * 1000, chip.digital.macs_per_ns)
    return job(duration, count * chip.digital.mac_fj)


def topk(chip: Chip, experts: int, k: int) -> Cost:
    """K passes over the scores, each counted as an element-wise operation (assumed).

    The reference selects in no time.
    """
    if chip.digital.accounting == "reference":
        return job(0, 0)
    once = add(chip, experts)
    return job(k * once.duration_ps, k * once.energy_fj)


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
    taken = job(0, 0) if chip.digital.accounting == "reference" else digital(chip, experts)
    if not shared:
        return taken
    return job(products.duration_ps + taken.duration_ps, products.energy_fj + taken.energy_fj)


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
        return job(adds * ceil(narrow.duration_ps, 1000) * 1000, adds * narrow.energy_fj)
    once = add(chip, values)
    jobs = max(1, vectors - 1 + weighted + scaled)
    return job(jobs * once.duration_ps, jobs * once.energy_fj)


def sample(chip: Chip) -> Cost:
    """The choice of the next token from its scores: a fixed time, no published energy."""
    return job(chip.digital.sample_ps, 0)


def join() -> Cost:
    """Results of parts of a matrix as one vector: they lie side by side in the buffer already."""
    return Cost(0, 0, 0)


def digital(chip: Chip, elements: int) -> Cost:
    """Any other element-wise work: `elements` outputs, counted as adds whatever makes them."""
    return add(chip, elements)


def top_tokens(chip: Chip, scored: int, kept: int, experts: int) -> Cost:
    """Expert choice: every expert picks among tokens.

    A prefill takes as many passes over the scores as there are experts, one per column (assumed).
    One that arrives later is compared with the `kept` scores of every expert, in one pass. The
    reference selects in no time.
    """
    if kept and chip.digital.accounting == "full":
        return add(chip, (kept + scored) * experts)
    return topk(chip, scored, experts)


def attention_macs(queries: int, keys: int, heads: int, head_dim: int, *, causal: bool) -> int:
    """Scores and weighted values: 2 x heads x head_dim per (query, key) pair.

    The queries are the newest of the `keys` tokens; a causal one sees those up to itself.
    """
    unseen = queries * (queries - 1) // 2 if causal else 0
    return 2 * (queries * keys - unseen) * heads * head_dim


def attention(
    chip: Chip,
    queries: int,
    keys: int,
    heads: int,
    head_dim: int,
    *,
    causal: bool,
    units: int = 1,
    kept_ps: int = 0,
) -> Cost:
    """Scores and weighted values of a sequence's newest tokens, heads spread over equal units.

    kept_ps: time in which their keys and values come out of a buffer, once for all of the queries:
    it takes that at least.

    macs: `attention_macs` over the stated MAC rate; it ends with the unit that has most heads, and
    takes the energy of all. polynomial, on one unit: the reference's
    ceil(s^2 (1.064e-4 d + 1.521e-5 d^2)) ns for all s tokens, halved when causal, and 0.557225 s^2
    d pJ, halved likewise (fitted at d <= 1024; chip `paper` only); for fewer queries their share of
    both, which for one is the reference's division by s.
    """
    width = heads * head_dim
    if chip.digital.attention == "macs":
        every = macs(chip, attention_macs(queries, keys, heads, head_dim, causal=causal))
        most = attention_macs(queries, keys, ceil(heads, units), head_dim, causal=causal)
        return job(max(macs(chip, most).duration_ps, kept_ps), every.energy_fj)
    # 1.064e-4 d + 1.521e-5 d^2 in units of 1e-8 ns keeps the arithmetic in integers
    whole_ns = ceil(keys * keys * (10640 * width + 1521 * width * width), 10**8)
    part = keys * (2 if causal else 1)
    energy = keys * keys * width * 557225 // 1000
    return job(whole_ns * 1000 * queries // part, energy * queries // part)
