"""The verifier: one named check per invariant of a mapping and of a program.

It judges the compiler's stages, so it shares no code with them: it starts again from the workload,
the chip and the definitions in `ir/`, with only `ir.timing` for the cost of one instruction.
"""

from ir.chip import Chip
from ir.compiled import Compiled
from ir.mapping import Mapping
from ir.verify.broadcasts import BROADCAST_CHECKS
from ir.verify.caches import CACHE_CHECKS
from ir.verify.case import ProgramCase
from ir.verify.chains import JOB_CHECKS
from ir.verify.check import Check, all_faults, first_fault
from ir.verify.copies import COPY_CHECKS
from ir.verify.cost import COST_CHECKS
from ir.verify.dataflow import DATAFLOW_CHECKS
from ir.verify.dies import LINK_CHECKS
from ir.verify.exclusive import RESOURCE_CHECKS
from ir.verify.mapping import MAPPING_CHECKS as OF_TILES
from ir.verify.program import STRUCTURE_CHECKS
from ir.verify.routing import ROUTING_CHECKS
from ir.verify.stacks import STACK_CHECKS
from ir.verify.tiles import MappingCase
from ir.verify.transfers import TRANSFER_CHECKS
from ir.workload import Workload

__all__ = [
    "CHECKS",
    "MAPPING_CHECKS",
    "PROGRAM_CHECKS",
    "check_mapping",
    "check_program",
    "verify_mapping",
    "verify_program",
]

MAPPING_CHECKS: tuple[Check[MappingCase], ...] = (*OF_TILES, *STACK_CHECKS)
PROGRAM_CHECKS: tuple[Check[ProgramCase], ...] = (
    *STRUCTURE_CHECKS,
    *LINK_CHECKS,
    *ROUTING_CHECKS,
    *TRANSFER_CHECKS,
    *DATAFLOW_CHECKS,
    *CACHE_CHECKS,
    *JOB_CHECKS,
    *BROADCAST_CHECKS,
    *COPY_CHECKS,
    *RESOURCE_CHECKS,
    *COST_CHECKS,
)
CHECKS: tuple[Check[MappingCase] | Check[ProgramCase], ...] = (*MAPPING_CHECKS, *PROGRAM_CHECKS)


def verify_mapping(mapping: Mapping, workload: Workload, chip: Chip) -> None:
    """Raise CheckError at the first invariant of MAPPING_CHECKS that the mapping breaks."""
    first_fault(MAPPING_CHECKS, MappingCase(mapping, workload, chip))


def check_mapping(mapping: Mapping, workload: Workload, chip: Chip) -> list[tuple[str, str]]:
    """(name, "ok" or the first problem) for each of MAPPING_CHECKS."""
    return all_faults(MAPPING_CHECKS, MappingCase(mapping, workload, chip))


def verify_program(compiled: Compiled) -> None:
    """Raise CheckError at the first invariant of PROGRAM_CHECKS that the program breaks.

    The mapping must have passed verify_mapping.
    """
    first_fault(PROGRAM_CHECKS, ProgramCase(compiled))


def check_program(compiled: Compiled) -> list[tuple[str, str]]:
    """(name, "ok" or the first problem) for each of PROGRAM_CHECKS."""
    return all_faults(PROGRAM_CHECKS, ProgramCase(compiled))
