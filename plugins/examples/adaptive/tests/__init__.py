"""The policy's modules are in `src`, apart from what is only for tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
