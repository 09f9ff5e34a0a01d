"""ONNX files: opened with care, cut into sub-models, run in a child process.

The only place that imports onnxruntime. `load` opens a file without reading its weights, `extract`
cuts a self-contained sub-model out of it in memory, `processes` run such a model apart from ours,
so that a hostile or broken one cannot take it down.
"""
