"""ONNX files: opened with care, cut into sub-models, run in a child process.

The only place that imports onnxruntime. `load` opens a file without reading its weights: `checks`
look at it before, `rewriting` brings its nodes into the forms that are read. `extract` cuts a
self-contained sub-model out of it in memory, `processes` run such a model apart from ours, so that
a hostile or broken one cannot take it down. `weights` reads matrices, as `computed`, `packing` and
`widen` say how they are stored; `definition` runs a model operator by operator.
"""
