"""Invariants of cost: every instruction takes what ir.timing says, and the counts add up."""

from typing import assert_never
from weakref import WeakKeyDictionary

import numpy as np

from ir import timing
from ir.arrays import Ints
from ir.links import bus_width, return_lanes
from ir.program import Opcode
from ir.timing import Cost
from ir.verify.attention import asked, attention_cost, size_of_job
from ir.verify.caches import kept_scores
from ir.verify.carried import NOTHING, bytes_of_sums, crossing_cost, extent_of, load_cost
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, int64
from ir.verify.dies import values_across
from ir.verify.digital import digital_cost, tokens_of_use
from ir.verify.energy import mvm_energy_fj
from ir.verify.inventory import check_inventory
from ir.verify.jobs import JobClass
from ir.verify.moves import moved_from
from ir.verify.roles import READS_OF_CACHES, WRITES_OF_CACHES, Form, Role
from ir.workload import Attention, Dense, Digital, MoELayer

SAMPLED = -1  # stands for the operator of what moves the choice of a token
LINKS = (Opcode.LOAD, Opcode.STORE, Opcode.XFER, Opcode.CROSS)

_KNOWN: WeakKeyDictionary[ProgramCase, Ints] = WeakKeyDictionary()  # of cases being checked


def expected_costs(case: ProgramCase) -> Ints:
    """duration_ps, busy_ps, energy_fj, bytes and macs of each instruction: int64 [rows, 5].

    Bytes are 0 where nothing goes over a link. Four checks ask for them: they are found once.
    """
    if case not in _KNOWN:
        _KNOWN[case] = _by_key(case)
    return _KNOWN[case]


def _by_key(case: ProgramCase) -> Ints:
    """Rows with the same key cost the same, so that `ir.timing` is asked once per key."""
    p, role = case.program, case.role
    node, amount = int64(p.node), np.zeros(len(p), dtype=np.int64)
    streams = case.streams
    whole = (case.row_form == Form.SEQUENCE) | (role == Role.TOPK)  # but for what follows
    amount[whole] = case.of_pass[whole]
    amount[streams.mine] = size_of_job(case, streams.asked, streams.keys)[streams.mine]
    cached = np.isin(role, READS_OF_CACHES + WRITES_OF_CACHES)
    amount[cached] = p.bytes[cached]  # the check `caches` says how many
    combine = role == Role.COMBINE
    of_visit = p.node[combine], case.visit[combine]
    amount[combine] = 2 * case.parts[of_visit] + case.passing[of_visit]
    digital = role == Role.EXPERT
    amount[digital] = p.expert[digital]
    move = role == Role.MOVE
    amount[move] = int64(p.layer)[move] * len(p.units) + p.unit[move]
    moved = moved_from(case)[move]
    node[move] = np.where(role[moved] == Role.SAMPLE, SAMPLED, p.node[moved])
    load = role == Role.LOAD
    amount[load] = 2 * np.array([unit.die for unit in p.units], dtype=np.int64)[p.unit[load]]
    routing = np.zeros(len(p), dtype=np.bool_)
    routing[case.read[case.of_router[case.reader]]] = True
    amount[load & routing] += 1  # of which the router's matrix says how wide
    cross = role == Role.CROSS
    amount[cross] = values_across(case)[cross] * len(p.units) + p.unit[cross]
    placed = np.isin(role, [Role.OUT, Role.IN, Role.STORE])
    amount[placed] = _as_far(case)[_group_of(case)[placed]]
    mvm = np.isin(role, [Role.MVM0, Role.MVM1])
    amount[mvm] = case.sharing.in_stack[case.unit_fire[p.unit[mvm]]]
    like = np.append(case.jobs.like, -1)[case.job_class]
    key = np.zeros(len(p), dtype=np.int64)
    for column in (role, int64(p.stage), node, like, amount):
        low, high = int(column.min(initial=0)), int(column.max(initial=0))
        key = key * (high - low + 1) + column - low
    _, example, inverse = np.unique(key, return_index=True, return_inverse=True)
    table = np.array(
        [
            _figures(case, int(row), Role(int(role[row])), int(node[row]), int(amount[row]))
            for row in example
        ],
        dtype=np.int64,
    ).reshape(-1, 5)
    return table[inverse]


def _figures(
    case: ProgramCase, row: int, role: Role, node: int, amount: int
) -> tuple[int, int, int, int, int]:
    cost = _cost(case, row, role, node, amount)
    macs = _macs(case, row, role, node, amount)
    return cost.duration_ps, cost.busy_ps, cost.energy_fj, cost.bytes, macs


def _macs(case: ProgramCase, row: int, role: Role, node: int, amount: int) -> int:
    """Multiply-accumulates of matrices, attention and a digital router; `amount` as for _cost."""
    if node == SAMPLED:
        return 0
    op, index = case.workload.operators[node], int(case.job_class[row])
    if role in (Role.MVM0, Role.MVM1) and index >= 0:
        return case.jobs.classes[index].macs(1 if role == Role.MVM1 else 0)
    match op:
        case Attention() if role == Role.RESULT:
            size = op.heads, op.head_dim
            return timing.attention_macs(*asked(case, op, amount), *size, causal=op.causal)
        case MoELayer() if role == Role.GATE:
            router, gates = _digital_scores(case, op)
            return op.score_products * router + op.d_model * gates
        case MoELayer() if role == Role.EXPERT:
            return op.experts[amount].macs
        case Digital(scope="constant"):
            return 0
        case Digital() if role == Role.RESULT:
            return op.macs * tokens_of_use(case, op, amount)
        case Attention() | MoELayer() | Dense() | Digital():
            return 0
        case _:
            assert_never(op)


def _digital_scores(case: ProgramCase, op: MoELayer) -> tuple[int, int]:
    """Scores computed on digital units: the router's, and the shared experts' gates."""
    gates = [gate for gate in op.shared_gates if gate is not None]
    return 0 if _router_on_crossbars(case, op) else op.router.outputs, len(gates)


def _router_on_crossbars(case: ProgramCase, op: MoELayer) -> bool:
    return case.chip.digital.router_on == "crossbar" and op.router.projection is not None


def _cost(case: ProgramCase, row: int, role: Role, node: int, amount: int) -> Cost:
    """Cost of one instruction; `amount` as expected_costs defines it."""
    chip, op, units = case.chip, case.workload.operators[node], case.program.units
    if role == Role.MOVE:
        there, unit = divmod(amount, len(units))
        width, here = timing.SAMPLE_VALUES if node == SAMPLED else op.width, units[unit].layer
        return timing.xfer(chip, width, case.mapping.placement.hops_between(here, there))
    if role == Role.CROSS:
        return crossing_cost(case, node, *divmod(amount, len(units)))
    if role in READS_OF_CACHES + WRITES_OF_CACHES:
        return timing.dram(chip, amount)
    if role == Role.SAMPLE:
        return timing.sample(chip)
    index = int(case.job_class[row])
    match op:
        case Digital():
            return digital_cost(case, op, amount)
        case Attention():
            return attention_cost(case, op, node, amount)
        case Dense() | MoELayer() if index >= 0:
            return _job(case, role, case.jobs.classes[index], amount)
        case MoELayer():
            return _moe(case, node, op, role, amount)
        case Dense() if role == Role.LOAD:
            return load_cost(case, node, amount // 2)
        case Dense():
            return NOTHING
        case _:
            assert_never(op)


def _group_of(case: ProgramCase) -> Ints:
    """Fire group that each row's vector comes from or goes to: [rows].

    The group is that of the row's unit; a STORE's is that of the MVM whose sums it reads, with or
    without an ACC between. Those that have none get the number after the last.
    """
    p = case.program
    before = np.arange(len(p))
    sums = np.isin(case.role, [Role.STORE, Role.ACC0, Role.ACC1]) & (np.diff(p.reads.offsets) > 0)
    before[sums] = case.read[p.reads.offsets[:-1][sums]]
    source = before[before]
    fire: Ints = case.unit_fire[p.unit[source]]
    return np.where(fire < 0, len(case.fire_groups), fire)


def _path(case: ProgramCase, fire: int) -> tuple[int, int]:
    """(mesh links to its region's port, mesh ports) of a fire group."""
    if fire >= len(case.fire_groups):
        return 0, 1
    placement, g = case.mapping.placement, case.fire_groups[fire]
    return placement.hops_to_port(g.layer, g.first_pg, g.pgs), placement.ports(g.first_pg, g.pgs)


def _as_far(case: ProgramCase) -> Ints:
    """The first fire group with the same path as each: [fire groups and none]."""
    first: dict[tuple[int, int], int] = {}
    groups = range(len(case.fire_groups) + 1)
    return np.array([first.setdefault(_path(case, fire), fire) for fire in groups], dtype=np.int64)


def _job(case: ProgramCase, role: Role, job: JobClass, fire: int) -> Cost:
    """Of a crossbar job.

    fire: its fire group, where that says how far it goes; of an MVM 1 in a stack, else 0.
    """
    chip, layer = case.chip, int(case.region[job.operator])
    stage = 1 if role in (Role.MVM1, Role.ACC1) else 0
    if not job.weights(stage):
        return NOTHING  # a stage that the job does not have
    if role in (Role.MVM0, Role.MVM1):
        return job.mvm(stage, chip, stacked=bool(fire))
    if role in (Role.ACC0, Role.ACC1):
        return job.acc(stage, chip)
    if role == Role.OUT:
        return timing.xfer(chip, job.hidden * (2 if job.gated else 1), *_path(case, fire))
    if role == Role.IN:
        return timing.xfer(chip, job.hidden, *_path(case, fire))
    if role == Role.SCALE:
        return timing.add(chip, job.hidden * (2 if job.gated else 1))
    if role == Role.ACT:
        return timing.act(chip, job.hidden, job.passes)
    if role == Role.MUL:
        return timing.add(chip, job.hidden)
    lanes, hops = return_lanes(case.workload, layer, chip), _path(case, fire)[0]
    return timing.store(chip, job.results, bus_width(case.workload, layer), lanes, hops)


def _moe(case: ProgramCase, node: int, op: MoELayer, role: Role, amount: int) -> Cost:
    chip = case.chip
    if role == Role.GATE:
        on_crossbar, shared = _router_on_crossbars(case, op), _digital_scores(case, op)[1]
        size, scored = (op.d_model, op.router.outputs, shared), op.score_products
        return timing.gate(chip, *size, on_crossbar=on_crossbar, scored=scored)
    if role == Role.EXPERT:
        return timing.digital_expert(chip, op.experts[amount], op.passes)
    if role == Role.TOPK and (capacity := op.router.capacity) is not None:
        scored = int(case.visits.count(case.visits.scored)[amount])
        kept = kept_scores(case, capacity, amount)
        return timing.top_tokens(chip, scored, kept, op.router.experts)
    if role == Role.TOPK:
        return timing.topk(chip, op.router.outputs, op.places)
    if role == Role.COMBINE:
        (parts, itself), shared = divmod(amount, 2), _digital_scores(case, op)[1]
        scaled, routed = op.scale != 1.0, parts - len(op.shared)
        weighted = shared + itself + (routed if op.weight_on == "output" else 0)
        sizes = parts + itself, weighted, op.d_out, op.d_expert
        if op.apart == "outputs":
            sizes = 1, int(op.weights_outputs), op.d_out, op.d_expert
        return timing.combine(chip, *sizes, scaled=scaled)
    if role != Role.LOAD:
        return NOTHING
    die, of_router = divmod(amount, 2)
    values, layer = op.scored_width if of_router else op.d_model, int(case.region[node])
    return timing.load(chip, values, bus_width(case.workload, layer), extent_of(case, layer, die))


def check_duration(case: ProgramCase) -> Fault | None:
    """Duration and busy time are those of ir.timing."""
    p, wanted = case.program, expected_costs(case)
    at = first((p.duration_ps != wanted[:, 0]) | (p.busy_ps != wanted[:, 1]))
    if at is None:
        return None
    found = f"takes {p.duration_ps[at]} ps, busy {p.busy_ps[at]} ps"
    return Fault(p.name(at), f"{found}, expected {wanted[at, 0]} and {wanted[at, 1]}")


def check_energy(case: ProgramCase) -> Fault | None:
    """Energy is that of ir.timing."""
    p, wanted = case.program, expected_costs(case)
    at = first(p.energy_fj != wanted[:, 2])
    if at is None:
        return None
    return Fault(p.name(at), f"takes {p.energy_fj[at]} fJ, expected {wanted[at, 2]}")


def check_bytes(case: ProgramCase) -> Fault | None:
    """LOAD, STORE, XFER and CROSS carry the bytes of their vector; MVMs say those of their sums."""
    p, inside = case.program, np.isin(case.opcode, (Opcode.MVM, Opcode.ACC))
    wanted = np.where(inside, bytes_of_sums(case), expected_costs(case)[:, 3])
    at = first((inside | np.isin(case.opcode, LINKS)) & (p.bytes != wanted))
    if at is None:
        return None
    return Fault(p.name(at), f"carries {p.bytes[at]} bytes, expected {wanted[at]}")


def check_macs(case: ProgramCase) -> Fault | None:
    """Multiply-accumulates are those of all matrices, attention and digital routers."""
    p, wanted = case.program, expected_costs(case)
    at = first(p.macs != wanted[:, 4])
    if at is None:
        return None
    return Fault(p.name(at), f"stands for {p.macs[at]} MACs, expected {wanted[at, 4]}")


def mvm_totals(case: ProgramCase) -> tuple[int, int]:
    """(MVM instructions, their energy in fJ) that the workload and the routing ask for."""
    instructions = energy = 0
    visits = case.visits
    groupings = case.mapping.grouping.for_layers(case.workload.expert_homes)
    for index, op in enumerate(case.workload.operators):
        base = case.jobs.base[index]
        match op:
            case MoELayer():
                mine = visits.scored & case.of_side[index]
                scored, runs = int(mine.sum()), int((visits.runs & mine).sum())
                grouping = groupings.of(op.layer)
                load = grouping.on_crossbars(case.picked(op.layer)).sum(axis=0).tolist()
                load += [runs] * len(op.shared) + [scored] * _router_on_crossbars(case, op)
                uses = {base + e: n for e, n in enumerate(load)}
            case Dense():
                uses = {base: int(case.done_for[index].sum())}
            case Attention() | Digital():
                uses = {}
            case _:
                assert_never(op)
        alike: dict[int, int] = {}
        for number, times in uses.items():
            like = int(case.jobs.like[number])
            alike[like] = alike.get(like, 0) + times
        for number, times in alike.items():
            job = case.jobs.classes[number]
            fired = [job.fired(stage, case.chip) for stage in (0, 1) if job.weights(stage)]
            instructions += times * len(fired)
            energy += times * sum(mvm_energy_fj(case.chip, one) for one in fired)
    return instructions, energy


def check_mvm_count(case: ProgramCase) -> Fault | None:
    """MVMs: one per dense operator and token, two per token-expert pair and shared expert."""
    expected, _ = mvm_totals(case)
    found = int((case.opcode == Opcode.MVM).sum())
    return None if found == expected else Fault("program", f"{found} MVMs, expected {expected}")


def check_mvm_energy(case: ProgramCase) -> Fault | None:
    """All MVMs together take the energy of the rows, cells and columns that their tiles use."""
    _, expected = mvm_totals(case)
    found = int(case.program.energy_fj[case.opcode == Opcode.MVM].sum())
    return None if found == expected else Fault("program", f"MVMs {found} fJ, expected {expected}")


COST_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("duration", "duration and busy time are ir.timing's", check_duration),
    Check("energy", "energy is ir.timing's", check_energy),
    Check("bytes", "links carry the bytes of their vectors", check_bytes),
    Check("macs", "multiply-accumulates are those of the model", check_macs),
    Check("mvm-count", "the number of MVMs adds up", check_mvm_count),
    Check("mvm-energy", "the energy of all MVMs adds up", check_mvm_energy),
    Check("inventory", "the inventory is what the mapping has", check_inventory),
)
