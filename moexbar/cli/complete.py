"""What a shell completes after an option whose values are no fixed choice of its type."""


def chip_names(incomplete: str) -> list[str]:
    """Presets that begin so; a TOML file the shell completes itself."""
    from moexbar.chips import preset_names

    return [name for name in preset_names() if name.startswith(incomplete)]


def solver_names(incomplete: str) -> list[str]:
    """Grouping solvers that begin so."""
    from compiler.options import GROUPING_SOLVERS

    return [name for name in GROUPING_SOLVERS if name.startswith(incomplete)]


def solver_list(incomplete: str) -> list[str]:
    """Grouping solvers for the last place of a list with commas."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in solver_names(last)]


def policy_names(incomplete: str) -> list[str]:
    """Slot orders that begin so."""
    from compiler.options import POLICIES

    return [name for name in POLICIES if name.startswith(incomplete)]


def opcode_names(incomplete: str) -> list[str]:
    """Opcodes that begin so."""
    from ir.program import Opcode

    return [op.name for op in Opcode if op.name.startswith(incomplete)]


def example_names(incomplete: str) -> list[str]:
    """Examples that begin so."""
    from moexbar.examples.names import NAMES

    return [name for name in NAMES if name.startswith(incomplete)]
