"""A certificate authority for one lab, which lives as long as the lab."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class KeyPair:
    certificate: Path
    key: Path


class Authority:
    def __init__(self, folder: Path):
        folder.mkdir(mode=0o700)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal-lab")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._begin(self._name, self._key).add_extension(constraints, critical=True)
        self.certificate = folder / "ca.crt"
        self.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def client(self, name: str, *groups: str) -> KeyPair:
        """Kubernetes reads the user from the common name and the groups from the organizations."""
        return self._issue(name, groups, (), ExtendedKeyUsageOID.CLIENT_AUTH)

    def server(self, name: str, *addresses: str) -> KeyPair:
        names = [_general_name(address) for address in addresses]
        return self._issue(name, (), names, ExtendedKeyUsageOID.SERVER_AUTH)

    def signing_keys(self, name: str) -> KeyPair:
        """A key pair without a certificate: it signs the tokens of service accounts."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = KeyPair(self.folder / f"{name}.pub", self.folder / f"{name}.key")
        pair.key.write_bytes(_private_pem(key))
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        pair.certificate.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, public)
        )
        return pair

    def _issue(self, name, groups, names, usage) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._begin(subject, key)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        stem = name.replace(":", "-")
        pair = KeyPair(self.folder / f"{stem}.crt", self.folder / f"{stem}.key")
        pair.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        pair.key.write_bytes(_private_pem(key))
        pair.key.chmod(0o600)
        return pair

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=7))
        )


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
