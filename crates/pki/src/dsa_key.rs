//! DSA keys of certificate authorities: AWS IoT takes certificates that are signed with DSA and SHA-256 (developer
//! guide, "X.509 client certificates").

use aws_lc_rs::digest;
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode as _, Reader as _, SliceReader};
use dsa::signature::hazmat::PrehashVerifier as _;
use dsa::{BoxedUint, Components, Signature, VerifyingKey};
use spki::SubjectPublicKeyInfoRef;

use crate::public_key::PublicKeyRefusal;
use crate::signature::SignatureRefusal;

const ID_DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
/// The sizes of FIPS 186-4, 4.2, in bits of p and q, but for the shortest, which is as weak as RSA with 1024 bits.
const SIZES: [(usize, usize); 3] = [(2048, 224), (2048, 256), (3072, 256)];

/// The numbers of a DSA public key (RFC 3279, 2.3.2), big-endian without leading zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DsaKey<'a> {
    p: &'a [u8],
    q: &'a [u8],
    g: &'a [u8],
    y: &'a [u8],
}

impl<'a> DsaKey<'a> {
    /// Reads a DER-encoded SubjectPublicKeyInfo; `None` when its key is of another kind.
    pub(crate) fn from_spki_der(spki: &'a [u8]) -> Result<Option<Self>, PublicKeyRefusal> {
        let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| PublicKeyRefusal::Malformed)?;
        if info.algorithm.oid != ID_DSA {
            return Ok(None);
        }
        let key = info.subject_public_key.as_bytes().ok_or(PublicKeyRefusal::Malformed)?;
        // Parameters that are inherited from the issuer cannot be: the authority stands alone.
        let parameters = info.algorithm.parameters.ok_or(PublicKeyRefusal::Malformed)?.value();
        Self::read(parameters, key).map(Some).map_err(|_| PublicKeyRefusal::Malformed)
    }

    fn read(parameters: &'a [u8], key: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(parameters)?;
        let [p, q, g] = [UintRef::decode(&mut reader)?, UintRef::decode(&mut reader)?, UintRef::decode(&mut reader)?];
        reader.finish()?;
        let y = UintRef::from_der(key)?;
        Ok(Self { p: p.as_bytes(), q: q.as_bytes(), g: g.as_bytes(), y: y.as_bytes() })
    }

    /// Checks sizes and ranges; nothing is computed.
    pub(crate) fn check(&self) -> Result<(), PublicKeyRefusal> {
        let (p, q) = (bits(self.p), bits(self.q));
        if !SIZES.contains(&(p, q)) {
            return Err(PublicKeyRefusal::DsaSize { p, q });
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|octet| octet % 2 == 1);
        let is_element = |number: &[u8]| is_less(&[1], number) && is_less(number, self.p);
        if is_odd(self.p) && is_odd(self.q) && is_element(self.g) && is_element(self.y) {
            Ok(())
        } else {
            Err(PublicKeyRefusal::DsaNumbers)
        }
    }

    /// Verifies a signature (Dss-Sig-Value, RFC 3279, 2.2.2) over the SHA-256 of `message`.
    pub(crate) fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureRefusal> {
        self.check()?;
        let signature = self.read_signature(signature).ok_or(SignatureRefusal::Wrong)?;
        let key = self.verifying_key().ok_or(PublicKeyRefusal::DsaNumbers)?;
        let hash = digest::digest(&digest::SHA256, message);
        key.verify_prehash(hash.as_ref(), &signature).map_err(|_| SignatureRefusal::Wrong)
    }

    fn verifying_key(&self) -> Option<VerifyingKey> {
        // The arithmetic wants all elements of one width.
        let width = u32::try_from(bits(self.p)).ok()?;
        let element = |number| BoxedUint::from_be_slice(number, width).ok();
        let order = BoxedUint::from_be_slice_vartime(self.q);
        let components = Components::from_components(element(self.p)?, order, element(self.g)?).ok()?;
        VerifyingKey::from_components(components, element(self.y)?).ok()
    }

    fn read_signature(&self, signature: &[u8]) -> Option<Signature> {
        let mut reader = SliceReader::new(signature).ok()?;
        let (r, s) =
            reader.sequence(|reader| Ok::<_, der::Error>((UintRef::decode(reader)?, UintRef::decode(reader)?))).ok()?;
        reader.finish().ok()?;
        let number = |found: UintRef<'_>| {
            let in_range = is_less(&[0], found.as_bytes()) && is_less(found.as_bytes(), self.q);
            in_range.then(|| BoxedUint::from_be_slice_vartime(found.as_bytes()))
        };
        Signature::from_components(number(r)?, number(s)?)
    }
}

/// The length of a big-endian number without leading zeros.
fn bits(number: &[u8]) -> usize {
    let Some(first) = number.first() else { return 0 };
    let missing = usize::try_from(first.leading_zeros()).unwrap_or_default();
    number.len().saturating_mul(8).saturating_sub(missing)
}

/// Whether `a < b`, of big-endian numbers without leading zeros.
fn is_less(a: &[u8], b: &[u8]) -> bool {
    (a.len(), a) < (b.len(), b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A number of `bits` bits that ends in `last`.
    fn number(bits: usize, last: u8) -> Vec<u8> {
        let mut number = vec![0x5A; bits.div_ceil(8)];
        number[0] = 1 << ((bits - 1) % 8);
        *number.last_mut().unwrap() = last;
        number
    }

    fn check(p: &[u8], q: &[u8], g: &[u8], y: &[u8]) -> Result<(), PublicKeyRefusal> {
        DsaKey { p, q, g, y }.check()
    }

    #[test]
    fn sizes_are_those_of_the_standard() {
        for (p, q) in [(2048, 224), (2048, 256), (3072, 256)] {
            assert_eq!(check(&number(p, 7), &number(q, 7), &[2], &[2]), Ok(()));
        }
        for (p, q) in [(1024, 160), (2048, 160), (2047, 224), (2048, 255), (3072, 224), (4096, 256), (80_000, 256)] {
            let refusal = PublicKeyRefusal::DsaSize { p, q };
            assert_eq!(check(&number(p, 7), &number(q, 7), &[2], &[2]), Err(refusal));
        }
    }

    #[test]
    fn numbers_that_make_every_signature_good_are_refused() {
        let (p, q) = (number(2048, 7), number(256, 7));
        let refused = Err(PublicKeyRefusal::DsaNumbers);
        for trivial in [&[0][..], &[1], &p, &number(2048, 9), &number(2049, 7)] {
            assert_eq!(check(&p, &q, trivial, &[2]), refused);
            assert_eq!(check(&p, &q, &[2], trivial), refused);
        }
        assert_eq!(check(&number(2048, 6), &q, &[2], &[2]), refused);
        assert_eq!(check(&p, &number(256, 6), &[2], &[2]), refused);
        // p - 1, whose square is 1, passes the ranges and fails in the group.
        let key = DsaKey { p: &p, q: &q, g: &number(2048, 6), y: &number(2048, 6) };
        assert_eq!(key.check(), Ok(()));
        let signature = [0x30, 6, 2, 1, 1, 2, 1, 1];
        assert_eq!(key.verify_sha256(b"", &signature), Err(SignatureRefusal::Key(PublicKeyRefusal::DsaNumbers)));
    }

    #[test]
    fn a_signature_is_two_numbers_between_0_and_the_order() {
        let (p, q) = (number(2048, 7), number(256, 7));
        let key = DsaKey { p: &p, q: &q, g: &[2], y: &[2] };
        let encode = |r: &[u8], s: &[u8]| {
            let integer = |number: &[u8]| [&[2, u8::try_from(number.len()).unwrap()], number].concat();
            let content = [integer(r), integer(s)].concat();
            [&[0x30, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
        };
        assert!(key.read_signature(&encode(&[1], &[1])).is_some());
        let order = [&[0], q.as_slice()].concat();
        let long = [0x11; 40];
        for odd in [&[0][..], &order, &long, &[0, 1], &[0x80], &[]] {
            assert!(key.read_signature(&encode(odd, &[1])).is_none(), "{odd:?}");
            assert!(key.read_signature(&encode(&[1], odd)).is_none(), "{odd:?}");
        }
        assert!(key.read_signature(&[encode(&[1], &[1]), vec![0]].concat()).is_none());
        assert!(key.read_signature(&[]).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn no_numbers_make_it_panic(
            q in proptest::collection::vec(any::<u8>(), 32),
            g in proptest::collection::vec(any::<u8>(), 1..256),
            r in 1_u8..128,
            s in 1_u8..128,
        ) {
            let (p, mut q, mut g) = (number(2048, 7), q, g);
            q[0] |= 0x80;
            q[31] |= 1;
            g[0] |= 1;
            let key = DsaKey { p: &p, q: &q, g: &g, y: &g };
            let signature = [0x30, 6, 2, 1, r, 2, 1, s];
            prop_assert!(key.verify_sha256(b"message", &signature).is_err());
        }
    }
}
