"""Tests. The folder says what kind a test is: see CONTRIBUTING.md."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The checkout."""
