"""One module of commands for each group of pulp-admin."""
