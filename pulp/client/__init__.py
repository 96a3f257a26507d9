"""pulp-admin and the REST client beneath it. Knows the server by its REST interface only."""
