"""ONNX -> Workload: layers, MoE layers, attention and dense products, found by dataflow."""

from compiler.frontend.read import read_model, survey_model

__all__ = ["read_model", "survey_model"]
