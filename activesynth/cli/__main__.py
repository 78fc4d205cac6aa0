"""``python -m activesynth.cli``: the same as the command ``activesynth``."""

from __future__ import annotations

import sys

from activesynth.cli import main

sys.exit(main())
