"""`scripts/scaling_tables.py` as a module."""

import importlib.util
import sys
from pathlib import Path

_PATH = Path(__file__).parents[2] / "scripts" / "scaling_tables.py"
_SPEC = importlib.util.spec_from_file_location("scaling_tables", _PATH)
script = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = script  # its dataclasses look there for their module
_SPEC.loader.exec_module(script)
