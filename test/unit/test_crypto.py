"""Keys, the CA and signatures; certificates are judged by Python's own ssl, as both ends use it."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from pulp.common.errors import PulpError
from pulp.common.times import DAY, SECOND
from pulp.crypto.ca import Authority
from pulp.crypto.errors import BadCertificate, BadCsr, BadKey, BadSignature
from pulp.crypto.keys import (
    csr_key_fingerprint,
    fingerprint,
    load_certificate,
    load_csr,
    load_key,
    make_csr,
    new_key,
    private_pem,
    read_certificate,
)
from pulp.crypto.signing import Signer, key_id, new_signing_key, verify

UID = "5f0c8e0a-1f0e-4c57-9f5e-0d6f8a3b2c1d"
NOW = 1_800_000_000_000


class FixedClock:
    def __init__(self, now: int) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return self.time / 1000


CA = Authority.create()
KEY = new_key()
CSR = make_csr(KEY, common_name="whatever")


def extension(pem: str, kind: type[x509.ExtensionType]) -> x509.ExtensionType:
    return load_certificate(pem).extensions.get_extension_for_class(kind).value


# --- keys and requests ---


def test_a_new_key_is_p256_and_its_own() -> None:
    key = load_key(KEY)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert new_key() != KEY


@pytest.mark.parametrize("bad", ["", "x", KEY[:-60], CSR, "é", "x" * 100_000])
def test_what_is_no_key_is_refused_without_a_cause(bad: str) -> None:
    with pytest.raises(BadKey) as caught:
        load_key(bad)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_encrypted_key_is_refused() -> None:
    pem = load_key(KEY).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(BadKey, match="unencrypted"):
        load_key(pem.decode())


def test_a_request_is_signed_and_named() -> None:
    csr = load_csr(CSR)
    assert csr.is_signature_valid
    assert csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "whatever"


def test_a_request_takes_any_consumer_id_as_its_name() -> None:
    assert load_csr(make_csr(KEY, common_name="a" * 128)).is_signature_valid


def test_two_requests_of_one_key_have_one_key_fingerprint() -> None:
    assert csr_key_fingerprint(CSR) == csr_key_fingerprint(make_csr(KEY, common_name="other"))
    assert csr_key_fingerprint(CSR) != csr_key_fingerprint(
        make_csr(new_key(), common_name="whatever")
    )


@pytest.mark.parametrize("bad", ["", "x", KEY, CSR[:200], "é", CA.certificate_pem, "x" * 100_000])
def test_what_is_no_request_is_refused(bad: str) -> None:
    with pytest.raises(BadCsr, match="no PEM certificate request"):
        load_csr(bad)


def csr_of(key: object) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]


WEAK: list[Callable[[], object]] = [
    lambda: rsa.generate_private_key(65537, 1024),
    lambda: ec.generate_private_key(ec.SECP192R1()),
    lambda: ec.generate_private_key(ec.SECP256K1()),
    lambda: dsa.generate_private_key(2048),
]
STRONG: list[Callable[[], object]] = [
    lambda: rsa.generate_private_key(65537, 2048),
    lambda: ec.generate_private_key(ec.SECP384R1()),
    ed25519.Ed25519PrivateKey.generate,
]


@pytest.mark.parametrize("make", WEAK)
def test_a_weak_or_odd_key_gets_no_certificate(make: Callable[[], object]) -> None:
    with pytest.raises(BadCsr, match="use P-256"):
        CA.issue_client(csr_of(make()), common_name=UID)


@pytest.mark.parametrize("make", STRONG)
def test_other_strong_keys_get_one(make: Callable[[], object]) -> None:
    assert read_certificate(CA.issue_client(csr_of(make()), common_name=UID)).common_name == UID


def test_a_request_signed_with_another_key_is_refused() -> None:
    der = bytearray(load_csr(CSR).public_bytes(serialization.Encoding.DER))
    at = bytes(der).index(b"whatever")
    der[at : at + 8] = b"imposter"
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(BadCsr, match="its own key"):
        CA.issue_client(forged, common_name=UID)


# --- the authority ---


def test_the_server_decides_the_name_and_the_use() -> None:
    pem = CA.issue_client(CSR, common_name=UID)
    assert read_certificate(pem).common_name == UID
    assert extension(pem, x509.ExtendedKeyUsage) == x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    assert extension(pem, x509.BasicConstraints) == x509.BasicConstraints(
        ca=False, path_length=None
    )
    assert load_certificate(pem).public_key() == load_key(KEY).public_key()


def test_a_certificate_is_backdated_and_lasts_its_days() -> None:
    ca = Authority.create(clock=FixedClock(NOW))
    facts = read_certificate(ca.issue_client(CSR, common_name=UID, days=365))
    assert facts.not_before == NOW - DAY
    assert facts.not_after == NOW + 365 * DAY


def test_no_certificate_outlives_its_authority() -> None:
    clock = FixedClock(NOW)
    ca = Authority.create(clock=clock)
    end = read_certificate(ca.certificate_pem).not_after
    assert end == NOW - DAY + 3650 * DAY
    clock.time = end - DAY
    assert read_certificate(ca.issue_client(CSR, common_name=UID)).not_after == end
    clock.time = end + SECOND
    with pytest.raises(BadCertificate, match="expired"):
        ca.issue_client(CSR, common_name=UID)


def test_two_certificates_of_one_key_differ() -> None:
    one, two = (CA.issue_client(CSR, common_name=UID) for _ in range(2))
    assert fingerprint(one) != fingerprint(two)


def test_an_authority_can_be_stored_and_loaded() -> None:
    again = Authority.load(CA.certificate_pem, CA.key_pem)
    assert again.certificate_pem == CA.certificate_pem
    load_certificate(again.issue_client(CSR, common_name=UID)).verify_directly_issued_by(
        load_certificate(CA.certificate_pem)
    )


def test_an_authority_needs_its_own_key() -> None:
    with pytest.raises(BadCertificate, match="does not belong"):
        Authority.load(CA.certificate_pem, KEY)


def test_a_plain_certificate_is_no_authority() -> None:
    with pytest.raises(BadCertificate, match="may not sign"):
        Authority.load(CA.issue_client(CSR, common_name=UID), KEY)


def test_a_server_certificate_names_hosts_and_addresses() -> None:
    pem = CA.issue_server(KEY, hosts=["pulp.example.org", "127.0.0.1", "::1", "*.example.org"])
    names = extension(pem, x509.SubjectAlternativeName)
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["pulp.example.org", "*.example.org"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert extension(pem, x509.ExtendedKeyUsage) == x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH]
    )


@pytest.mark.parametrize("host", ["", "a b", "http://x", "a..b", "x\n", "ü" * 70])
def test_what_is_no_host_is_named(host: str) -> None:
    with pytest.raises(BadCertificate, match="no host name"):
        CA.issue_server(KEY, hosts=[host])


def test_a_server_certificate_needs_a_host() -> None:
    with pytest.raises(BadCertificate, match="at least one"):
        CA.issue_server(KEY, hosts=[])


def test_a_long_host_name_is_possible() -> None:
    host = ".".join(["label" * 5] * 4)
    assert len(host) > 64
    names = extension(CA.issue_server(KEY, hosts=[host]), x509.SubjectAlternativeName)
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == [host]


# --- what certificates say ---


def test_the_fingerprint_is_the_hash_of_the_der() -> None:
    der = ssl.PEM_cert_to_DER_cert(CA.certificate_pem)
    assert fingerprint(CA.certificate_pem) == fingerprint(der) == hashlib.sha256(der).hexdigest()


def test_of_several_certificates_the_first_counts() -> None:
    other = Authority.create()
    assert fingerprint(CA.certificate_pem + other.certificate_pem) == fingerprint(
        CA.certificate_pem
    )


@pytest.mark.parametrize("bad", ["", "x", KEY, "é", CA.certificate_pem[:300]])
def test_what_is_no_certificate_is_refused(bad: str) -> None:
    for read in (load_certificate, read_certificate, fingerprint):
        with pytest.raises(BadCertificate, match="no PEM certificate"):
            read(bad)


# --- with TLS ---


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str | None:
    """The common name that the server saw; ssl.SSLError when either end refuses."""
    wires = [ssl.MemoryBIO() for _ in range(4)]
    up_in, down_out, down_in, up_out = wires
    ends = [
        server.wrap_bio(up_in, down_out, server_side=True),
        client.wrap_bio(down_in, up_out, server_hostname=host),
    ]
    for _ in range(6):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
        up_in.write(up_out.read())
        down_in.write(down_out.read())
    certificate = ends[0].getpeercert(binary_form=True)
    return (
        read_certificate(ssl.DER_cert_to_PEM_cert(certificate)).common_name if certificate else None
    )


@pytest.fixture
def context(tmp_path: Path) -> Callable[[int, str, str, str], ssl.SSLContext]:
    def make(protocol: int, trusted: str, certificate: str, key: str) -> ssl.SSLContext:
        made = ssl.SSLContext(protocol)
        made.verify_flags |= ssl.VERIFY_X509_STRICT
        made.load_verify_locations(cadata=trusted)
        made.verify_mode = ssl.CERT_REQUIRED
        path = tmp_path / f"{fingerprint(certificate)}.pem"
        path.write_text(certificate + key)
        made.load_cert_chain(path)
        return made

    return make


Contexts = Callable[[int, str, str, str], ssl.SSLContext]
SERVER_KEY = new_key()
SERVER = CA.issue_server(SERVER_KEY, hosts=["localhost", "127.0.0.1"])
CLIENT = CA.issue_client(CSR, common_name=UID)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_both_ends_take_the_certificates_under_strict_rules(context: Contexts, host: str) -> None:
    server = context(ssl.PROTOCOL_TLS_SERVER, CA.certificate_pem, SERVER, SERVER_KEY)
    client = context(ssl.PROTOCOL_TLS_CLIENT, CA.certificate_pem, CLIENT, KEY)
    assert handshake(server, client, host) == UID


def test_another_host_name_is_refused(context: Contexts) -> None:
    server = context(ssl.PROTOCOL_TLS_SERVER, CA.certificate_pem, SERVER, SERVER_KEY)
    client = context(ssl.PROTOCOL_TLS_CLIENT, CA.certificate_pem, CLIENT, KEY)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(server, client, "elsewhere.example.org")


def test_an_agents_certificate_is_no_servers(context: Contexts) -> None:
    server = context(ssl.PROTOCOL_TLS_SERVER, CA.certificate_pem, CLIENT, KEY)
    client = context(ssl.PROTOCOL_TLS_CLIENT, CA.certificate_pem, CLIENT, KEY)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(server, client, "localhost")


def test_a_foreign_certificate_is_refused(context: Contexts) -> None:
    foreign = Authority.create().issue_client(CSR, common_name=UID)
    server = context(ssl.PROTOCOL_TLS_SERVER, CA.certificate_pem, SERVER, SERVER_KEY)
    client = context(ssl.PROTOCOL_TLS_CLIENT, CA.certificate_pem, foreign, KEY)
    with pytest.raises(ssl.SSLError, match=r"(?i)verify failed"):
        handshake(server, client, "localhost")


def test_an_old_and_a_new_authority_can_be_trusted_together(context: Contexts) -> None:
    new = Authority.create()
    both = CA.certificate_pem + new.certificate_pem
    server = context(
        ssl.PROTOCOL_TLS_SERVER, both, new.issue_server(SERVER_KEY, hosts=["localhost"]), SERVER_KEY
    )
    client = context(ssl.PROTOCOL_TLS_CLIENT, both, CLIENT, KEY)
    assert handshake(server, client, "localhost") == UID


# --- signatures ---

SIGNER = Signer(new_signing_key())


@given(st.binary(max_size=100))
def test_what_was_signed_is_verified(data: bytes) -> None:
    verify(data, SIGNER.sign(data), by=SIGNER.key_id, trusted=[SIGNER.public_key])


@pytest.mark.parametrize(
    "signature",
    [SIGNER.sign(b"other"), b"", b"x" * 64, SIGNER.sign(b"data")[:-1]],
    ids=["of other bytes", "empty", "made up", "cut off"],
)
def test_another_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(BadSignature, match="does not fit"):
        verify(b"data", signature, by=SIGNER.key_id, trusted=[SIGNER.public_key])


def test_a_key_that_is_not_trusted_is_named() -> None:
    other = Signer(new_signing_key())
    with pytest.raises(BadSignature, match=other.key_id):
        verify(b"data", other.sign(b"data"), by=other.key_id, trusted=[SIGNER.public_key])


def test_the_key_id_picks_the_key_that_verifies() -> None:
    other = Signer(new_signing_key())
    trusted = [SIGNER.public_key, other.public_key]
    verify(b"data", other.sign(b"data"), by=other.key_id, trusted=trusted)
    with pytest.raises(BadSignature, match="does not fit"):
        verify(b"data", other.sign(b"data"), by=SIGNER.key_id, trusted=trusted)


def test_key_ids_are_stable_and_short() -> None:
    assert key_id(SIGNER.public_key) == SIGNER.key_id
    assert len(SIGNER.key_id) == 16


def test_only_ed25519_keys_sign() -> None:
    with pytest.raises(BadKey, match="Ed25519"):
        Signer(KEY)


@pytest.mark.parametrize("bad", ["", "x", "AAAA", "é" * 44])
def test_what_is_no_public_key_is_refused(bad: str) -> None:
    with pytest.raises(BadKey):
        key_id(bad)


# --- secrecy ---


def test_no_repr_and_no_error_shows_a_private_key() -> None:
    secrets = [CA.key_pem, KEY, private_pem(load_key(KEY))]
    said = [repr(CA), str(CA), repr(SIGNER), str(SIGNER)]
    with pytest.raises(PulpError) as caught:
        Authority.load(CA.certificate_pem, KEY)
    said += [str(caught.value), repr(caught.value)]
    for text in said:
        for secret in secrets:
            assert not any(line in text for line in secret.splitlines()[1:-1])
