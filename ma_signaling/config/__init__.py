"""Every setting, declared once, and the sources of its value. Pure Python."""
