"""Keys, certificates and signatures, for both ends."""
