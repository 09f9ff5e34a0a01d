"""Where the tests find what they do not make themselves."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "examples" / "models"
TINY = ROOT / "moexbar" / "examples" / "tiny"
