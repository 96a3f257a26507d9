"""The fleet's own certificate authority: signs the agents' certificates and the server's."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pulp.common.clock import Clock, SystemClock
from pulp.common.times import to_datetime
from pulp.crypto.errors import BadCertificate
from pulp.crypto.keys import (
    LONGEST_NAME,
    PrivateKey,
    PublicKey,
    fingerprint,
    hash_for,
    load_certificate,
    load_csr,
    load_key,
    name_of,
    private_pem,
    strong,
)

CLIENT_DAYS = 365
SERVER_DAYS = 3650
"""As long as the authority: its key lies beside the server's, so an earlier end guards nothing and could cut off the fleet."""
AUTHORITY_DAYS = 3650

_BACKDATED = timedelta(days=1)
"""A clock that is hours behind (a wrong zone, a step back), at either end, must not make a fresh certificate useless."""

_DNS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class Authority:
    """A CA certificate with its private key. Several may be trusted at a time, so that one can follow another."""

    __slots__ = ("_certificate", "_clock", "_key")

    def __init__(
        self, certificate: x509.Certificate, key: PrivateKey, *, clock: Clock | None = None
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._clock: Clock = clock or SystemClock()

    @classmethod
    def create(cls, name: str = "Pulp CA", *, clock: Clock | None = None) -> Authority:
        """A new self-signed CA for ten years."""
        key = ec.generate_private_key(ec.SECP256R1())
        begin = to_datetime((clock or SystemClock()).now()) - _BACKDATED
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(name))
            .issuer_name(name_of(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        return cls(builder.sign(key, hash_for(key)), key, clock=clock)

    @classmethod
    def load(cls, certificate_pem: str, key_pem: str, *, clock: Clock | None = None) -> Authority:
        """BadCertificate, BadKey; also when the key is not the certificate's, or the certificate is no CA's."""
        certificate, key = load_certificate(certificate_pem), load_key(key_pem)
        if certificate.public_key() != key.public_key():
            raise BadCertificate("the CA's private key does not belong to its certificate")
        if not _is_authority(certificate):
            raise BadCertificate(
                "the CA certificate may not sign certificates (basicConstraints CA)"
            )
        return cls(certificate, key, clock=clock)

    @property
    def certificate_pem(self) -> str:
        return _pem(self._certificate)

    @property
    def key_pem(self) -> str:
        """The private key: for a file of mode 0600 and nothing else."""
        return private_pem(self._key)

    def issue_client(self, csr_pem: str, *, common_name: str, days: int = CLIENT_DAYS) -> str:
        """A certificate for the request's key, under the server's own name for it: what the request calls itself is ignored.

        BadCsr when the request is not signed with its key, or the key is weak.
        """
        key = strong(load_csr(csr_pem).public_key())
        builder = self._builder(key, name_of(common_name), days)
        return self._sign(builder, ExtendedKeyUsageOID.CLIENT_AUTH)

    def issue_server(self, key_pem: str, *, hosts: Sequence[str], days: int = SERVER_DAYS) -> str:
        """A certificate for this key that is good for these DNS names and IP addresses; BadCertificate, BadKey."""
        names = [_host(host) for host in hosts]
        if not names:
            raise BadCertificate("a server certificate needs at least one host name or IP address")
        builder = self._builder(
            strong(load_key(key_pem).public_key()), name_of(hosts[0][:LONGEST_NAME]), days
        )
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return self._sign(builder, ExtendedKeyUsageOID.SERVER_AUTH)

    def _builder(self, key: PublicKey, subject: x509.Name, days: int) -> x509.CertificateBuilder:
        now = to_datetime(self._clock.now())
        end = min(now + timedelta(days=days), self._certificate.not_valid_after_utc)
        if end <= now:
            raise BadCertificate("the CA certificate has expired: make a new one")
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(strong(self._key.public_key())),
                critical=False,
            )
        )

    def _sign(self, builder: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> str:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return _pem(builder.sign(self._key, hash_for(self._key)))

    def __repr__(self) -> str:
        return f"<Authority {fingerprint(self.certificate_pem)}>"


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return found.value.ca


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(_dns_name(host))


def _dns_name(host: str) -> str:
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not _DNS_NAME.fullmatch(name):
        raise BadCertificate(f"{host!r} is no host name and no IP address")
    return name
