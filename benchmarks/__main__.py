"""``python -m benchmarks``: measure, print, and after a full run write docs/performance.md."""

from __future__ import annotations

import sys

from benchmarks.command import main

sys.exit(main())
