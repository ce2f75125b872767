//! Documents, requests and certificates that tests send. The certificates are those of crate `pki`, made by openssl.

/// Allows everything.
pub(crate) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;
/// Allows to connect, and nothing else.
pub(crate) const ALLOW_CONNECT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}"#;

/// A provisioning template that every type takes: it sets a certificate's status, and no more.
pub(crate) const TEMPLATE: &str = r#"{"Resources":{"certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"}}}}}"#;
/// Another one.
pub(crate) const TEMPLATE_INACTIVE: &str = r#"{"Resources":{"certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"INACTIVE"}}}}"#;
/// A role of the first account.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/fleet/provisioning";

macro_rules! pki {
    ($file:literal) => {
        include_str!(concat!("../../../pki/tests/data/", $file))
    };
}

/// A good request for a P-256 key.
pub(crate) const CSR: &str = pki!("csr/p-256-sha256.pem");
/// Good requests for other keys.
pub(crate) const CSR_P384: &str = pki!("csr/p-384-sha384.pem");
pub(crate) const CSR_P521: &str = pki!("csr/p-521-sha512.pem");
pub(crate) const CSR_RSA2048: &str = pki!("csr/rsa2048.pem");
/// Requests that must not be certified, with the reason in the name.
pub(crate) const BAD_CSRS: [(&str, &str); 7] = [
    ("broken signature", pki!("csr/broken-signature.pem")),
    ("signed by another key", pki!("csr/signed-by-another-key.pem")),
    ("RSA 1024", pki!("csr/rsa1024.pem")),
    ("DSA", pki!("csr/dsa.pem")),
    ("Ed25519", pki!("csr/ed25519.pem")),
    ("ROCA", pki!("csr/roca.pem")),
    ("secp256k1", pki!("csr/secp256k1.pem")),
];

/// A good certificate: P-256, self-signed.
pub(crate) const CERTIFICATE: &str = pki!("certificate/p256.pem");
/// Other good certificates: an RSA key, X.509 version 1.
pub(crate) const CERTIFICATE_RSA: &str = pki!("certificate/rsa2048.pem");
pub(crate) const CERTIFICATE_V1: &str = pki!("certificate/v1.pem");
/// Certificates that must not be registered, with the reason in the name.
pub(crate) const BAD_CERTIFICATES: [(&str, &str); 5] = [
    ("RSA 1024", pki!("certificate/rsa1024.pem")),
    ("SHA-1", pki!("certificate/sha1.pem")),
    ("MD5", pki!("certificate/md5.pem")),
    ("Ed25519", pki!("certificate/ed25519.pem")),
    ("secp256k1", pki!("certificate/secp256k1.pem")),
];

/// An id that nothing has.
pub(crate) const UNKNOWN_ID: &str = "abababababababababababababababababababababababababababababababab";
/// A Cognito identity.
pub(crate) const COGNITO_IDENTITY: &str = "us-east-1:0a1b2c3d-0000-4000-8000-0123456789ab";
