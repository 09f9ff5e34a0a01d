"""Chip presets (one TOML file each, every number beside its source) and their loader."""

from moexbar.chips.loader import change_chip, changed_chip, load_chip, preset_names

__all__ = ["change_chip", "changed_chip", "load_chip", "preset_names"]
