"""Package work, one module for each package manager."""
