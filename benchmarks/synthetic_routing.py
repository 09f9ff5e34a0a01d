"""Compare the synthetic traces of `moexbar example` with the recorded ones they are fitted to.

    python -m benchmarks.synthetic_routing --traces DIR

DIR holds mixtral-8x7b/routing.npz and gpt-oss-20b/routing.npz (see docs/examples.md for where they
come from); of one that is not there only the synthetic side is printed.
"""

import argparse
from dataclasses import astuple, fields

from benchmarks.traces import add_traces, trace_file
from moexbar.examples.catalogue import EXAMPLES, GPT_OSS_TRAITS, MIXTRAL_TRAITS
from moexbar.examples.statistics import Statistics, measure
from moexbar.examples.synthetic import Traits, synthetic_routing
from moexbar.examples.write import LENGTH, SEQUENCES, TOPICS
from moexbar.files.routing_file import load_routing

FITTED = {  # layers, experts, k and about the tokens of the recorded trace
    "mixtral-8x7b": (32, 8, 2, 82, MIXTRAL_TRAITS),
    "gpt-oss-20b": (24, 32, 4, 93, GPT_OSS_TRAITS),
}


def row(name: str, found: Statistics) -> str:
    return f"| {name} | " + " | ".join(f"{value:.2f}" for value in astuple(found)) + " |"


def synthetic(layers: int, experts: int, k: int, sequences: int, traits: Traits) -> Statistics:
    ids = list(range(layers))
    return measure(
        synthetic_routing(ids, experts, k, traits, sequences=sequences, length=LENGTH, seed=0)
    )


def main(argv: list[str] | None = None) -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(words)
    traces = words.parse_args(argv).traces
    names = [field.name for field in fields(Statistics)]
    print("| trace | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for name, (layers, experts, k, sequences, traits) in FITTED.items():
        file = trace_file(traces, name)
        if file.is_file():
            print(row(f"{name}, recorded", measure(load_routing(file))))
        else:
            print(f"{file} is not there: no recorded figures for {name}")
        print(row(f"{name}, synthetic", synthetic(layers, experts, k, sequences, traits)))
    for name, example in EXAMPLES.items():
        s = example.sizes
        found = synthetic(len(s.moe_layers), s.experts, s.top_k, SEQUENCES * TOPICS, example.traits)
        print(row(f"example {name}", found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
