"""Chip presets (one TOML file each, every number beside its source) and their loader."""

from moexbar.chips.loader import load_chip, preset_names

__all__ = ["load_chip", "preset_names"]
