"""Keys, certificate signing requests, and what a certificate says. PEM is text everywhere; a private key stays with its maker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from pulp.common.times import to_ms
from pulp.crypto.errors import BadCertificate, BadCsr, BadKey

LONGEST_NAME = 64
"""Characters of a common name: RFC 5280, ub-common-name."""

_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_RSA_BITS = range(2048, 8192 + 1)  # above it one verification costs a server too much
_LONGEST_PEM = 64 * 1024  # characters

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Times are ms UTC; the fingerprint is the SHA-256 of the DER in lower-case hex."""

    common_name: str
    fingerprint: str
    not_before: int
    not_after: int


def new_key() -> str:
    """A new P-256 private key as unencrypted PKCS#8 PEM: write it to a file of mode 0600 and nowhere else."""
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


def private_pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def load_key(pem: str) -> PrivateKey:
    """An unencrypted private key that is strong enough; BadKey."""
    try:
        key = serialization.load_pem_private_key(_bounded(pem), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without its cause: nothing of the key may show up in a traceback.
        raise BadKey("the private key is no unencrypted PEM key") from None
    if not isinstance(
        key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    ):
        raise BadKey(f"a key of the kind {type(key).__name__} is not supported: use P-256")
    strong(key.public_key())
    return key


def make_csr(key_pem: str, *, common_name: str) -> str:
    """A certificate signing request of this key. The server writes its own name into the certificate."""
    key = load_key(key_pem)
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        name_of(common_name[:LONGEST_NAME])
    )
    return builder.sign(key, hash_for(key)).public_bytes(serialization.Encoding.PEM).decode()


def load_csr(pem: str) -> x509.CertificateSigningRequest:
    """A request that was signed with its own, strong enough key; BadCsr."""
    try:
        csr = x509.load_pem_x509_csr(_bounded(pem))
        strong(csr.public_key())
        valid = csr.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadCsr("the signing request is no PEM certificate request") from error
    except BadKey as error:
        raise BadCsr(str(error)) from error
    if not valid:
        raise BadCsr("the signing request was not signed with its own key")
    return csr


def csr_key_fingerprint(csr_pem: str) -> str:
    """SHA-256 (hex) of the request's public key: the same for every request of one key."""
    return key_fingerprint(strong(load_csr(csr_pem).public_key()))


def key_fingerprint(key: PublicKey) -> str:
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def fingerprint(certificate: str | bytes) -> str:
    """SHA-256 of the certificate's DER in lower-case hex. Text is PEM (its first certificate counts), bytes are DER."""
    if isinstance(certificate, str):
        certificate = _der(load_certificate(certificate))
    return hashlib.sha256(certificate).hexdigest()


def load_certificate(pem: str) -> x509.Certificate:
    """The first certificate in the text; BadCertificate."""
    try:
        return x509.load_pem_x509_certificate(_bounded(pem))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadCertificate("the certificate is no PEM certificate") from error


def read_certificate(pem: str) -> CertificateFacts:
    """Who it is for and how long it lasts; BadCertificate."""
    certificate = load_certificate(pem)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return CertificateFacts(
        common_name=str(names[0].value) if names else "",
        fingerprint=fingerprint(_der(certificate)),
        not_before=to_ms(certificate.not_valid_before_utc),
        not_after=to_ms(certificate.not_valid_after_utc),
    )


def strong(key: object) -> PublicKey:
    """The key itself; BadKey when it is of another kind than we take, or too weak."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return key
        case rsa.RSAPublicKey() if key.key_size in _RSA_BITS:
            return key
        case ed25519.Ed25519PublicKey():
            return key
    kind, bits = type(key).__name__, getattr(key, "key_size", "?")
    raise BadKey(
        f"a {kind} of {bits} bits is not accepted: use P-256, Ed25519 or RSA from 2048 bits"
    )


def hash_for(key: PrivateKey) -> hashes.SHA256 | None:
    """What `sign` of the X.509 builders wants: Ed25519 hashes by itself."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def name_of(common_name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    except ValueError as error:
        raise BadCertificate(f"{common_name!r} cannot be a common name: {error}") from error


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _bounded(pem: str) -> bytes:
    if len(pem) > _LONGEST_PEM:
        raise ValueError("too long")
    return pem.encode()
