"""Values and pure functions that everyone may use: ids, errors, times, windows, settings."""
