"""The commands by topic: where the function of each one is, and what it does in a line."""

from dataclasses import dataclass

COMPILE = "Compile"
LOOK = "Look inside a model or a compiled program"
TRACE = "From a routing trace alone"
MORE = "Chips, examples, the paper"


@dataclass(frozen=True)
class Command:
    """A command: its function stands in `moexbar.cli.MODULE`, whose docstring begins with `does`.

    The table is there so that listing the commands imports none of them.
    """

    name: str
    module: str
    function: str
    panel: str
    does: str


COMMANDS = (
    Command(
        "compile",
        "compile",
        "compile_command",
        COMPILE,
        "Compile a prefill, and decode steps after it: mapping, timed program, cost, all checked.",
    ),
    Command(
        "explore",
        "explore",
        "explore_command",
        COMPILE,
        "Compile every point of a sweep of chips, models and options: one table of figures.",
    ),
    Command(
        "pareto",
        "pareto",
        "pareto_command",
        COMPILE,
        "Show the points of a sweep that no other beats, or its best, under conditions.",
    ),
    Command(
        "design",
        "design",
        "design_command",
        COMPILE,
        "Choose the chip for a model and its traffic: size, sharing and units, within limits.",
    ),
    Command(
        "size",
        "size",
        "size_command",
        COMPILE,
        "Choose how large a model a chip should hold: parameters and experts, by a scaling law.",
    ),
    Command(
        "profile",
        "profile",
        "profile_command",
        COMPILE,
        "Run a model and record which experts every token goes to.",
    ),
    Command(
        "model",
        "model",
        "model_command",
        LOOK,
        "List what is recognised in an ONNX model and what it can decode.",
    ),
    Command(
        "inspect",
        "inspect",
        "inspect",
        LOOK,
        "Print the instructions of a compiled program, filtered.",
    ),
    Command(
        "simulate",
        "simulate",
        "simulate",
        LOOK,
        "Simulate a compiled program: busy units, and which of them bind.",
    ),
    Command(
        "report",
        "report",
        "report_command",
        LOOK,
        "Write one HTML page of an output folder: figures, tables, proofs, without a network.",
    ),
    Command(
        "plot",
        "plot",
        "plot_command",
        LOOK,
        "Draw one figure of an output folder as SVG, PDF or PNG.",
    ),
    Command(
        "trace",
        "trace",
        "trace",
        LOOK,
        "Write a trace for https://ui.perfetto.dev.",
    ),
    Command(
        "verify",
        "verify",
        "verify",
        LOOK,
        "Execute a compiled program and compare it with ONNX Runtime.",
    ),
    Command(
        "accuracy",
        "accuracy",
        "accuracy",
        LOOK,
        "Compare a model on quantised crossbars with the float model.",
    ),
    Command(
        "group",
        "group",
        "group",
        TRACE,
        "Group the experts of every MoE layer; score on other sequences.",
    ),
    Command(
        "schedule",
        "schedule",
        "schedule",
        TRACE,
        "Order every window of a layer into slots, with bounds.",
    ),
    Command(
        "compare",
        "compare",
        "compare",
        TRACE,
        "Group each layer with every solver, side by side.",
    ),
    Command(
        "reside",
        "reside",
        "reside_command",
        TRACE,
        "Choose the experts that stay on crossbars where there are too few for all.",
    ),
    Command(
        "trace-import",
        "trace_import",
        "trace_import",
        TRACE,
        "Write a routing trace of another form as routing.npz.",
    ),
    Command(
        "chips",
        "chips",
        "chips",
        MORE,
        "Show the chip presets, or one chip with units and sources.",
    ),
    Command(
        "limits",
        "limits",
        "limits",
        MORE,
        "Show how much a model and its inputs may ask for, and how to raise it.",
    ),
    Command(
        "example",
        "example",
        "example",
        MORE,
        "Write a model and what is needed to compile it into a new folder.",
    ),
    Command(
        "reproduce",
        "reproduce",
        "reproduce_command",
        MORE,
        "Run the paper's workload beside what its own simulator gives.",
    ),
    Command(
        "validate",
        "validate",
        "validate_command",
        MORE,
        "Set published figures of chips and simulators beside ours, with errors.",
    ),
)
