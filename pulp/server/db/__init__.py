"""The store: interfaces in base, one module or package for each back end."""
