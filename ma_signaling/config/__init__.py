"""Every setting, declared once, and where its value comes from. Pure Python."""
