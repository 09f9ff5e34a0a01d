"""Export small MoE models of many families the way their users do, to check the front end on them.

Random weights, two layers, widths that differ from one another. Every model comes with an .npz of
its inputs and outputs, as `benchmarks.frontend_samples` reads them. Needs torch, onnxscript and
transformers (the extra `exports`), 4.x or 5.x: the two export differently, and a family or exporter
that one of them lacks is reported and left out.

    python -m benchmarks.frontend_exports -o exports [--only mixtral] [--further] [--list]
"""

import argparse
import warnings
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Write every export that the installed transformers can make; say which it cannot, and why."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument(
        "--further", action="store_true", help="only the models of FURTHER and RECENT"
    )
    parser.add_argument("--list", action="store_true", help="only print the names")
    options = parser.parse_args(argv)

    from benchmarks.frontend_exports.cases import possible_cases  # --help does without torch
    from benchmarks.frontend_exports.catalogue import FURTHER
    from benchmarks.frontend_exports.export import export_all
    from benchmarks.frontend_exports.recent import RECENT

    cases = [case for case in possible_cases() if options.only in case.name]
    if options.further:
        cases = [case for case in cases if case.model in FURTHER | RECENT]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    warnings.simplefilter("ignore")
    export_all(cases, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
