"""ONNX files: opened with care, cut into sub-models, run in a child process.

The only place that imports onnxruntime. `load` opens a file without reading its weights, `extract`
cuts a self-contained sub-model out of it in memory, `session` runs such a model in a process of
its own (`child`), as `onnx_process` does with onnx's C++, so that a hostile or broken one cannot
take ours down.
"""
