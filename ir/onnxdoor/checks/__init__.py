"""What a model file must not hold, found on its bytes and its protobuf before anything uses it.

`model` is the whole check, which the others are parts of; `wire` counts before the file is parsed.
"""
