"""What `./dev` runs besides the tests; no part of the product."""
