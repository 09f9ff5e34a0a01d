"""The examples by name, for whoever only wants to list them."""

IN_CHECKOUT = ("tiny-token-choice", "tiny-expert-choice")
TRAINED = ("tiny", *IN_CHECKOUT)
LARGE = ("llama-moe-3.5b", "mixtral-8x7b", "qwen3-30b-a3b", "deepseek-v3")
NAMES = (*TRAINED, *LARGE)
