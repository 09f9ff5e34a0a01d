"""Operators that work along axes, by how they treat the others."""

ALONG = frozenset(  # work along `axis` and keep every other axis apart
    """
    Softmax LogSoftmax Hardmax CumSum TopK ArgMax ArgMin GatherElements ScatterElements
    LpNormalization
    """.split()
)
NORMS = frozenset(
    (
        "LayerNormalization",
        "SimplifiedLayerNormalization",
        "RMSNormalization",
        "SkipSimplifiedLayerNormalization",
        "SkipLayerNormalization",
    )
)
REDUCTIONS = frozenset(
    """
    ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare
    ReduceLogSum ReduceLogSumExp
    """.split()
)
