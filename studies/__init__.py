"""How nano was trained and how the result pages were made; nothing here is in the wheel."""
