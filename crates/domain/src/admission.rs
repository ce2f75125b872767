//! Admission: may the holder of this certificate pass?
//!
//! The handshake has proven possession of the key; the registry says the rest. No chain, no authority's status, no
//! key usage counts here (AWS developer guide, "X.509 client certificates").

use crate::certificate::{CertificateMode, CertificateStatus};
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::validity;

/// What the registry knows that counts at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The certificate's status.
    pub status: CertificateStatus,
    /// Whether SNI must name the endpoint.
    pub mode: CertificateMode,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

/// Decides admission at `now`. `registration` is the record found in the endpoint's scope, if any;
/// `endpoint_named` says whether SNI named an endpoint (rather than the scope being guessed from the registration).
///
/// # Errors
/// The [`Refusal`] that stands first: registration, SNI mode, status, validity.
pub fn admit(registration: Option<&Registration>, endpoint_named: bool, now: Timestamp) -> Result<(), Refusal> {
    let registration = registration.ok_or(Refusal::NotRegistered)?;
    if registration.mode == CertificateMode::SniOnly && !endpoint_named {
        return Err(Refusal::SniOnly);
    }
    if registration.status != CertificateStatus::Active {
        return Err(Refusal::Status(registration.status));
    }
    if now < registration.not_before {
        return Err(Refusal::NotYetValid);
    }
    if validity::is_over(registration.not_after, now) {
        return Err(Refusal::Expired);
    }
    Ok(())
}

/// Decides whether a connected device may stay at `now`. It was admitted at its endpoint, by name or not; only the record
/// can have changed.
///
/// # Errors
/// As for [`admit`]; a record that is gone is [`Refusal::Deleted`].
pub fn stays(registration: Option<&Registration>, now: Timestamp) -> Result<(), Refusal> {
    admit(Some(registration.ok_or(Refusal::Deleted)?), true, now)
}

/// Everything that stands against admission at `now`, where [`admit`] tells the first: what an operator wants to know.
#[must_use]
pub fn obstacles(registration: Option<&Registration>, endpoint_named: bool, now: Timestamp) -> Vec<Refusal> {
    let Some(registration) = registration else { return vec![Refusal::NotRegistered] };
    // Mending one obstacle brings the next to light.
    let mut mended = *registration;
    let mut named = endpoint_named;
    let mut found = Vec::new();
    while let Err(refusal) = admit(Some(&mended), named, now) {
        match refusal {
            Refusal::SniOnly => named = true,
            Refusal::Status(_) => mended.status = CertificateStatus::Active,
            Refusal::NotYetValid => mended.not_before = now,
            Refusal::Expired => mended.not_after = now,
            _ => {
                found.push(refusal);
                break;
            }
        }
        found.push(refusal);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_000);
    const END: Timestamp = Timestamp::from_secs(2_000);

    fn registered(status: CertificateStatus, mode: CertificateMode) -> Registration {
        Registration { status, mode, not_before: START, not_after: END }
    }

    #[test]
    fn only_an_active_certificate_within_its_validity_passes() {
        let active = registered(CertificateStatus::Active, CertificateMode::Default);
        let cases = [
            (START, Ok(())),
            (START.plus_millis(-1), Err(Refusal::NotYetValid)),
            (END, Ok(())),
            (END.plus_millis(999), Ok(())),
            (END.plus_millis(1_000), Err(Refusal::Expired)),
        ];
        for (now, outcome) in cases {
            assert_eq!(admit(Some(&active), true, now), outcome, "{now:?}");
        }
        for status in CertificateStatus::ALL {
            let outcome = admit(Some(&registered(status, CertificateMode::Default)), true, START);
            assert_eq!(outcome.is_ok(), status == CertificateStatus::Active, "{status}");
        }
        assert_eq!(admit(None, true, START), Err(Refusal::NotRegistered));
    }

    #[test]
    fn a_connected_device_stays_as_long_as_its_record_would_admit_it() {
        for status in CertificateStatus::ALL {
            // Admitted without a name, when only DEFAULT certificates are: a change of mode does not cut.
            for mode in [CertificateMode::Default, CertificateMode::SniOnly] {
                let record = registered(status, mode);
                for now in [START, END.plus_millis(1_000)] {
                    assert_eq!(stays(Some(&record), now), admit(Some(&record), true, now), "{status}");
                }
            }
        }
        assert_eq!(stays(None, START), Err(Refusal::Deleted));
    }

    #[test]
    fn sni_only_needs_the_endpoint_named() {
        let record = registered(CertificateStatus::Active, CertificateMode::SniOnly);
        assert_eq!(admit(Some(&record), true, START), Ok(()));
        assert_eq!(admit(Some(&record), false, START), Err(Refusal::SniOnly));
    }

    #[test]
    fn obstacles_are_all_told_and_the_first_is_the_refusal() {
        let late = END.plus_millis(5_000);
        for status in CertificateStatus::ALL {
            for mode in [CertificateMode::Default, CertificateMode::SniOnly] {
                for (named, now) in [(true, START), (false, START), (true, late), (false, late)] {
                    let record = registered(status, mode);
                    let found = obstacles(Some(&record), named, now);
                    assert_eq!(found.first().copied(), admit(Some(&record), named, now).err());
                    assert_eq!(found.contains(&Refusal::Expired), now == late);
                    assert_eq!(found.contains(&Refusal::Status(status)), status != CertificateStatus::Active);
                }
            }
        }
        assert_eq!(obstacles(None, true, START), [Refusal::NotRegistered]);
    }
}
