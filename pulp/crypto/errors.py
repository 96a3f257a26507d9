"""What can be wrong with keys, requests for certificates, certificates and signatures. No message holds key material."""

from __future__ import annotations

from pulp.common.errors import PulpError


class BadKey(PulpError):
    """A key that cannot be read, is of the wrong kind, or is too weak."""

    code = "bad-key"


class BadCsr(PulpError):
    """A certificate signing request that cannot be read or must not be signed."""

    code = "bad-csr"


class BadCertificate(PulpError):
    """A certificate that cannot be read or does not fit its key or its use."""

    code = "bad-certificate"


class BadSignature(PulpError):
    """The bytes were not signed by any trusted key."""

    code = "bad-signature"
