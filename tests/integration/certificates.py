"""Certificates of a day for tests: an authority of their own, and a broker on this machine whom it vouches for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Certificates(NamedTuple):
    """PEM files: the authority to trust, and the broker's key with its certificate."""

    authority: Path
    broker: Path


def make(folder: Path) -> Certificates:
    """New ones in a folder."""
    found = Certificates(folder / "authority.pem", folder / "broker.pem")
    authority, issuer = ec.generate_private_key(ec.SECP256R1()), _name("authority of a test")
    itself = _certificate(issuer, authority, ca=True).issuer_name(issuer).sign(authority, hashes.SHA256())
    found.authority.write_bytes(itself.public_bytes(Encoding.PEM))
    key = ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    broker = _certificate(_name("broker"), key, ca=False).add_extension(address, critical=False)
    signed = broker.issuer_name(issuer).sign(authority, hashes.SHA256())
    # Kafka wants both in one file.
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found.broker.write_bytes(secret + signed.public_bytes(Encoding.PEM))
    return found


def _certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    constraints = x509.BasicConstraints(ca=ca, path_length=None)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(constraints, critical=True)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
