"""Native code on models from strangers, in processes of its own with limits.

`child` is such a process seen from ours, `serving` what both sides say, `session` with `worker`
holds ONNX Runtime's models, `onnx_process` with `onnx_worker` runs onnx's C++ on single nodes.
"""
