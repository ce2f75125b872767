//! Which RSA keys are good enough to be certified or registered. The rules look at the public key alone.
//!
//! Bounds come before arithmetic: what a stranger sends is measured before it is computed with.

use num_bigint::BigUint;

use crate::limits;

/// The longest public exponent, in bits. The TLS stack verifies nothing with a longer one, so that such a key could
/// never connect.
const EXPONENT_BITS_MAX: usize = 33;
/// Rounds of Fermat's factorisation that a modulus must withstand.
const FERMAT_ROUNDS: u32 = 100;
/// No factor of a modulus may be below this.
const SMALL_FACTOR_BOUND: usize = 752;
/// The largest prime of the ROCA fingerprint: the moduli of all key sizes of the faulty library share the primes up
/// to here.
const ROCA_PRIME_MAX: u64 = 167;
/// The generator that the faulty library built its primes from.
const ROCA_GENERATOR: u64 = 65_537;

/// The numbers of an RSA public key, big-endian; leading zero octets do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RsaKey<'a> {
    /// The modulus.
    pub modulus: &'a [u8],
    /// The public exponent.
    pub exponent: &'a [u8],
}

/// Why an RSA key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// Shorter than [`limits::RSA_BITS_MIN`].
    #[error("the RSA key has {bits} bits: use {} or more", limits::RSA_BITS_MIN)]
    TooShort {
        /// Bits of the modulus.
        bits: usize,
    },
    /// Longer than [`limits::RSA_BITS_MAX`].
    #[error("the RSA key has {bits} bits: use {} or fewer", limits::RSA_BITS_MAX)]
    TooLong {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The exponent is 0, 1 or 2.
    #[error("the RSA public exponent is below 3: use 65537")]
    ExponentTooSmall,
    /// The exponent is even.
    #[error("the RSA public exponent is even: use 65537")]
    ExponentEven,
    /// The exponent has more bits than any verifier takes.
    #[error("the RSA public exponent is longer than {EXPONENT_BITS_MAX} bits: use 65537")]
    ExponentTooLong,
    /// A small prime divides the modulus, so that it is no product of two large primes.
    #[error("the RSA modulus is divisible by {0}: make a new key")]
    SmallFactor(u64),
    /// The modulus bears the fingerprint of CVE-2017-15361.
    #[error(
        "the RSA key was made by a library that makes factorable keys (ROCA, CVE-2017-15361): make a new key elsewhere"
    )]
    Roca,
    /// The two primes lie so near each other that the modulus factors at once.
    #[error("the two primes of the RSA key are too close to each other: make a new key")]
    ClosePrimes,
}

impl RsaKey<'_> {
    /// Bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        bits(self.modulus)
    }

    /// Checks everything that can be seen from outside, cheapest first.
    ///
    /// # Errors
    /// The first rule that the key breaks.
    pub fn check(&self) -> Result<(), KeyRefusal> {
        self.check_bounds()?;
        self.check_exponent()?;
        if let Some(factor) = small_factor(self.modulus) {
            return Err(KeyRefusal::SmallFactor(factor));
        }
        if is_roca(self.modulus) {
            return Err(KeyRefusal::Roca);
        }
        if has_close_primes(self.modulus) {
            return Err(KeyRefusal::ClosePrimes);
        }
        Ok(())
    }

    /// Checks the size alone: what must hold before anything is computed.
    ///
    /// # Errors
    /// [`KeyRefusal::TooShort`] or [`KeyRefusal::TooLong`].
    pub fn check_bounds(&self) -> Result<(), KeyRefusal> {
        match self.bits() {
            bits if bits < limits::RSA_BITS_MIN => Err(KeyRefusal::TooShort { bits }),
            bits if bits > limits::RSA_BITS_MAX => Err(KeyRefusal::TooLong { bits }),
            _ => Ok(()),
        }
    }

    fn check_exponent(&self) -> Result<(), KeyRefusal> {
        if bits(self.exponent) > EXPONENT_BITS_MAX {
            return Err(KeyRefusal::ExponentTooLong);
        }
        let exponent = self.exponent.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
        if exponent < 3 {
            Err(KeyRefusal::ExponentTooSmall)
        } else if exponent.is_multiple_of(2) {
            Err(KeyRefusal::ExponentEven)
        } else {
            Ok(())
        }
    }
}

/// The length of a big-endian number without its leading zeros.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().position(|octet| *octet != 0).and_then(|start| number.get(start..));
    match significant {
        Some([first, rest @ ..]) => {
            let head = u8::BITS.saturating_sub(first.leading_zeros());
            rest.len().saturating_mul(8).saturating_add(usize::try_from(head).unwrap_or_default())
        }
        _ => 0,
    }
}

/// `number` modulo a divisor below 2^56.
fn remainder(number: &[u8], divisor: u64) -> u64 {
    number.iter().fold(0, |rest, octet| (rest << 8 | u64::from(*octet)) % divisor)
}

/// The primes below [`SMALL_FACTOR_BOUND`], ascending.
fn small_primes() -> impl Iterator<Item = u64> {
    const COMPOSITE: [bool; SMALL_FACTOR_BOUND] = {
        let mut composite = [false; SMALL_FACTOR_BOUND];
        let mut candidate = 2;
        while candidate * candidate < SMALL_FACTOR_BOUND {
            let mut multiple = candidate * candidate;
            while multiple < SMALL_FACTOR_BOUND {
                #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse to go on")]
                {
                    composite[multiple] = true;
                }
                multiple += candidate;
            }
            candidate += 1;
        }
        composite
    };
    (0_u64..).zip(COMPOSITE).skip(2).filter(|(_, is_composite)| !is_composite).map(|(number, _)| number)
}

fn small_factor(modulus: &[u8]) -> Option<u64> {
    // One pass over the modulus for several primes at once, whose product stays below 2^56.
    let mut primes = small_primes().peekable();
    while primes.peek().is_some() {
        let mut product = 1_u64;
        let mut batch = Vec::with_capacity(8);
        while let Some(prime) = primes.next_if(|prime| product.saturating_mul(*prime) < 1 << 56) {
            product = product.saturating_mul(prime);
            batch.push(prime);
        }
        let rest = remainder(modulus, product);
        if let Some(factor) = batch.into_iter().find(|prime| rest.is_multiple_of(*prime)) {
            return Some(factor);
        }
    }
    None
}

/// CVE-2017-15361. The faulty library made each prime as `k * M + (65537^a mod M)`, where M is a product of the first
/// primes. Their product therefore is a power of 65537 modulo each of those primes, with one and the same exponent.
/// A modulus made honestly looks so with a probability of about 2^-154.
fn is_roca(modulus: &[u8]) -> bool {
    let mut congruences: Vec<(u64, u64)> = Vec::with_capacity(40);
    for prime in small_primes().skip(1).take_while(|prime| *prime <= ROCA_PRIME_MAX) {
        let Some(congruence) = exponent_of(remainder(modulus, prime), prime) else { return false };
        // Congruences have a common solution exactly when each two of them have one.
        let fits = congruences.iter().all(|(exponent, order)| {
            exponent.abs_diff(congruence.0).is_multiple_of(greatest_common_divisor(*order, congruence.1))
        });
        if !fits {
            return false;
        }
        congruences.push(congruence);
    }
    true
}

/// The least exponent with `65537^exponent ≡ residue (mod prime)`, and the order of 65537.
fn exponent_of(residue: u64, prime: u64) -> Option<(u64, u64)> {
    let powers = std::iter::successors(Some(1), |power| Some(power * (ROCA_GENERATOR % prime) % prime));
    let mut found = None;
    let mut order = 0;
    for (exponent, power) in (0_u64..).zip(powers) {
        if exponent > 0 && power == 1 {
            order = exponent;
            break;
        }
        if power == residue {
            found = Some(exponent);
        }
    }
    found.map(|exponent| (exponent, order))
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Fermat's factorisation: writes the modulus as a² - b² with a just above its root, which succeeds quickly when the
/// primes share their upper half. (CVE-2022-26320 was found so in the field.)
fn has_close_primes(modulus: &[u8]) -> bool {
    let n = BigUint::from_bytes_be(modulus);
    let mut a = n.sqrt();
    if &a * &a < n {
        a += 1_u32;
    }
    let mut b_squared = &a * &a - &n;
    for _ in 0..FERMAT_ROUNDS {
        if is_square(&b_squared) {
            return true;
        }
        b_squared += &a << 1;
        b_squared += 1_u32;
        a += 1_u32;
    }
    false
}

fn is_square(number: &BigUint) -> bool {
    // Most numbers are no squares modulo 64 or modulo 63: the root is taken of few.
    let low = number.iter_u32_digits().next().unwrap_or_default() % 64;
    if !is_residue(low, 64) {
        return false;
    }
    let rest = (number % 63_u32).iter_u32_digits().next().unwrap_or_default();
    if !is_residue(rest, 63) {
        return false;
    }
    let root = number.sqrt();
    &root * &root == *number
}

fn is_residue(number: u32, modulus: u32) -> bool {
    (0..modulus).any(|root| root * root % modulus == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const F4: &[u8] = &[1, 0, 1];

    /// Primes of 1024 bits, found by search from these heights upwards.
    fn prime(height: u32, offset: u32) -> BigUint {
        (BigUint::from(height) << 1020) + offset
    }

    fn good_modulus() -> BigUint {
        prime(12, 1037) * prime(15, 1627)
    }

    /// `k * M + (65537^a mod M)` with M the product of the first 126 primes, as the faulty library did for this size.
    fn roca_prime(k_offset: u32, a: u64) -> BigUint {
        let m: BigUint = small_primes().take(126).map(BigUint::from).product();
        let k = (BigUint::from(12_u32) << 1020) / &m + k_offset;
        k * &m + BigUint::from(ROCA_GENERATOR).modpow(&BigUint::from(a), &m)
    }

    fn roca_modulus() -> BigUint {
        roca_prime(7, 7_000_022) * roca_prime(97, 12_442_679_193)
    }

    fn check(modulus: &BigUint, exponent: &[u8]) -> Result<(), KeyRefusal> {
        RsaKey { modulus: &modulus.to_bytes_be(), exponent }.check()
    }

    #[test]
    fn an_honest_key_passes() {
        assert_eq!(good_modulus().bits(), 2048);
        assert_eq!(check(&good_modulus(), F4), Ok(()));
        assert_eq!(check(&good_modulus(), &[3]), Ok(()));
        let padded = [&[0, 0], good_modulus().to_bytes_be().as_slice()].concat();
        assert_eq!(RsaKey { modulus: &padded, exponent: &[0, 1, 0, 1] }.check(), Ok(()));
    }

    #[test]
    fn sizes_are_bounded_on_both_sides() {
        let two = BigUint::from(2_u32);
        for (bits, refusal) in [
            (1, KeyRefusal::TooShort { bits: 1 }),
            (1024, KeyRefusal::TooShort { bits: 1024 }),
            (2047, KeyRefusal::TooShort { bits: 2047 }),
            (8193, KeyRefusal::TooLong { bits: 8193 }),
            (1_000_000, KeyRefusal::TooLong { bits: 1_000_000 }),
        ] {
            assert_eq!(check(&(two.pow(bits) - 1_u32), F4), Err(refusal));
        }
        assert_eq!(RsaKey { modulus: &[], exponent: F4 }.check(), Err(KeyRefusal::TooShort { bits: 0 }));
    }

    #[test]
    fn exponents_are_odd_from_3_to_33_bits() {
        let cases: [(&[u8], Result<(), KeyRefusal>); 11] = [
            (&[], Err(KeyRefusal::ExponentTooSmall)),
            (&[0], Err(KeyRefusal::ExponentTooSmall)),
            (&[1], Err(KeyRefusal::ExponentTooSmall)),
            (&[2], Err(KeyRefusal::ExponentTooSmall)),
            (&[3], Ok(())),
            (&[4], Err(KeyRefusal::ExponentEven)),
            (&[1, 0, 0], Err(KeyRefusal::ExponentEven)),
            (&[0xFF, 0xFF, 0xFF, 0xFF], Ok(())),
            (&[1, 0xFF, 0xFF, 0xFF, 0xFF], Ok(())),
            (&[2, 0, 0, 0, 1], Err(KeyRefusal::ExponentTooLong)),
            (&[1; 300], Err(KeyRefusal::ExponentTooLong)),
        ];
        for (exponent, outcome) in cases {
            assert_eq!(check(&good_modulus(), exponent), outcome, "{exponent:?}");
        }
    }

    #[test]
    fn small_factors_are_found_whichever_they_are() {
        for factor in small_primes() {
            let modulus = prime(12, 1037) * prime(15, 1627) * factor;
            assert_eq!(check(&modulus, F4), Err(KeyRefusal::SmallFactor(factor)));
        }
        assert_eq!(small_primes().last(), Some(751));
    }

    #[test]
    fn roca_keys_are_found() {
        assert_eq!(roca_modulus().bits(), 2048);
        assert_eq!(check(&roca_modulus(), F4), Err(KeyRefusal::Roca));
    }

    #[test]
    fn a_modulus_whose_residues_are_powers_with_different_exponents_is_not_roca() {
        // Adding a multiple of all primes but one changes one residue. Modulo 11 the powers of 65537 are 1 and 10, so
        // the other of the two fits the subgroup, yet asks for an exponent of the other parity.
        let m: BigUint = small_primes().take(126).map(BigUint::from).product();
        let modulus = roca_modulus();
        let residue = |modulus: &BigUint| remainder(&modulus.to_bytes_be(), 11);
        let wanted = 11 - residue(&modulus);
        let step = &m / 11_u32;
        let changed = (1..11_u32).map(|times| &modulus + &step * times).find(|changed| residue(changed) == wanted);
        let changed = changed.unwrap().to_bytes_be();
        for prime in small_primes().skip(1).take_while(|prime| *prime <= ROCA_PRIME_MAX) {
            assert!(exponent_of(remainder(&changed, prime), prime).is_some(), "{prime}");
        }
        assert!(!is_roca(&changed));
    }

    #[test]
    fn close_primes_are_found() {
        let neighbours = prime(12, 1037) * prime(12, 1697);
        assert_eq!(check(&neighbours, F4), Err(KeyRefusal::ClosePrimes));
        let square = prime(12, 1037) * prime(12, 1037);
        assert_eq!(check(&square, F4), Err(KeyRefusal::ClosePrimes));
        // A difference of 2^516 takes a few rounds; one of 2^530 cannot be found by 100.
        let near = prime(12, 1037) + (BigUint::from(1_u32) << 516_u32);
        assert!(has_close_primes(&(prime(12, 1037) * &near).to_bytes_be()));
        let far = prime(12, 1037) + (BigUint::from(1_u32) << 530_u32);
        assert!(!has_close_primes(&(prime(12, 1037) * &far).to_bytes_be()));
    }

    proptest! {
        #[test]
        fn squares_are_told_from_others(root in 1_u128..u128::MAX, shift in 0_u32..2000) {
            let root = BigUint::from(root) << shift;
            let square = &root * &root;
            prop_assert!(is_square(&square));
            prop_assert!(!is_square(&(square + 1_u32)));
        }

        #[test]
        fn no_numbers_make_it_panic(
            modulus in proptest::collection::vec(any::<u8>(), 250..262),
            exponent in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            let _ = RsaKey { modulus: &modulus, exponent: &exponent }.check();
        }
    }
}
