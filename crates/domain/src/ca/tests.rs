use super::*;
use proptest::prelude::*;

fn scope(account: u64, region: &str) -> Scope {
    Scope::new(crate::scope::AccountId::from_number(account), region.parse().unwrap())
}

#[test]
fn a_registration_code_is_64_lower_case_hex_digits() {
    let code = RegistrationCode::from_bytes([0xa5; 32]);
    assert_eq!(code.as_str(), "a5".repeat(32));
    assert_eq!(code.as_str().parse(), Ok(code));
    for bad in ["", "a5", &"A5".repeat(32), &"a5".repeat(33), &"g5".repeat(32), &format!("{} ", "a5".repeat(31))] {
        assert_eq!(bad.parse::<RegistrationCode>(), Err(InvalidRegistrationCode), "{bad}");
    }
}

#[test]
fn a_code_is_carried_by_the_only_common_name() {
    let code = RegistrationCode::from_bytes([0xab; 32]);
    let other = RegistrationCode::from_bytes([2; 32]);
    assert!(code.is_carried_by(&[code.as_str()]));
    assert!(!code.is_carried_by::<&str>(&[]));
    assert!(!code.is_carried_by(&[other.as_str()]));
    assert!(!code.is_carried_by(&[code.as_str(), other.as_str()]));
    assert!(!code.is_carried_by(&[code.as_str(), code.as_str()]));
    assert!(!code.is_carried_by(&[code.as_str().to_uppercase()]));
    assert!(!code.is_carried_by(&[format!("{code}\0")]));
}

#[test]
fn default_needs_a_verification_certificate_and_sni_only_none() {
    use CertificateMode as M;
    let table = [
        (M::Default, true, Ok(())),
        (M::Default, false, Err(RegistrationRefusal::VerificationMissing)),
        (M::SniOnly, true, Err(RegistrationRefusal::VerificationNotAllowed)),
        (M::SniOnly, false, Ok(())),
    ];
    for (mode, is_given, outcome) in table {
        assert_eq!(registration(mode, is_given), outcome, "{mode:?} {is_given}");
    }
}

#[test]
fn a_ca_is_claimed_by_one_account_of_a_region() {
    use CertificateMode as M;
    let (here, there, far) = (scope(1, "us-east-1"), scope(2, "us-east-1"), scope(2, "eu-west-1"));
    let table = [
        (vec![], M::Default, Ok(())),
        (vec![(here, M::SniOnly)], M::Default, Err(ClaimRefusal::AlreadyRegistered)),
        (vec![(here, M::Default)], M::SniOnly, Err(ClaimRefusal::AlreadyRegistered)),
        (vec![(there, M::Default)], M::Default, Err(ClaimRefusal::ClaimedElsewhere)),
        (vec![(far, M::Default)], M::Default, Ok(())),
        (vec![(there, M::SniOnly)], M::SniOnly, Ok(())),
        // A stranger's registration without proof keeps nobody out.
        (vec![(there, M::SniOnly)], M::Default, Ok(())),
        (vec![(there, M::Default)], M::SniOnly, Ok(())),
    ];
    for (registered, mode, outcome) in table {
        assert_eq!(may_claim(&registered, here, mode, 9), outcome, "{registered:?} {mode:?}");
    }
    assert_eq!(may_claim(&[], here, M::SniOnly, 10), Err(ClaimRefusal::SubjectLimit));
}

#[test]
fn an_active_ca_is_not_deleted() {
    assert_eq!(may_delete(CaStatus::Active), Err(CaDeletionRefusal));
    assert_eq!(may_delete(CaStatus::Inactive), Ok(()));
}

#[test]
fn words_of_the_service_model_read_back() {
    for status in [CaStatus::Active, CaStatus::Inactive] {
        assert_eq!(status.as_str().parse(), Ok(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    assert_eq!("REVOKED".parse::<CaStatus>(), Err(UnknownWord));
    for is_enabled in [true, false] {
        let word = AutoRegistration::from(is_enabled);
        assert_eq!(word.is_enabled(), is_enabled);
        assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
    }
}

fn settings() -> impl Strategy<Value = CaSettings<u8>> {
    (any::<bool>(), any::<bool>(), any::<Option<u8>>()).prop_map(|(active, auto, registration_config)| CaSettings {
        status: if active { CaStatus::Active } else { CaStatus::Inactive },
        auto_registration: auto.into(),
        registration_config,
    })
}

fn changes() -> impl Strategy<Value = CaChange<u8>> {
    (any::<Option<bool>>(), any::<Option<bool>>(), any::<Option<u8>>(), any::<bool>()).prop_map(
        |(active, auto, registration_config, remove_auto_registration)| CaChange {
            status: active.map(|active| if active { CaStatus::Active } else { CaStatus::Inactive }),
            auto_registration: auto.map(AutoRegistration::from),
            registration_config,
            remove_auto_registration,
        },
    )
}

proptest! {
    #[test]
    fn each_part_changes_on_its_own(before in settings(), wanted in changes()) {
        let contradicts = wanted.remove_auto_registration && wanted.registration_config.is_some();
        match change(before.clone(), wanted.clone()) {
            Err(CaChangeRefusal) => prop_assert!(contradicts),
            Ok(after) => {
                prop_assert!(!contradicts);
                prop_assert_eq!(after.status, wanted.status.unwrap_or(before.status));
                prop_assert_eq!(after.auto_registration, wanted.auto_registration.unwrap_or(before.auto_registration));
                let kept = if wanted.remove_auto_registration { None } else { before.registration_config };
                prop_assert_eq!(after.registration_config, wanted.registration_config.or(kept));
                // Asking twice changes nothing more.
                prop_assert_eq!(change(after.clone(), wanted), Ok(after));
            }
        }
    }
}

#[test]
fn only_a_valid_active_enabled_ca_registers_just_in_time() {
    use AutoRegistrationRefusal as R;
    let (start, end) = (Timestamp::from_secs(1_000), Timestamp::from_secs(2_000));
    let ca = Issuer {
        status: CaStatus::Active,
        auto_registration: AutoRegistration::Enable,
        mode: CertificateMode::Default,
        not_before: start,
        not_after: end,
    };
    let contact = FirstContact { endpoint_named: true, not_before: start, not_after: end };
    let (narrow_start, narrow_end) = (Timestamp::from_secs(1_400), Timestamp::from_secs(1_600));
    let now = Timestamp::from_secs(1_500);
    let pending = |mode| Ok(AutoRegistered { status: CertificateStatus::PendingActivation, mode });
    let registered = pending(CertificateMode::Default);
    let cases = [
        (ca, contact, now, registered),
        (Issuer { mode: CertificateMode::SniOnly, ..ca }, contact, now, pending(CertificateMode::SniOnly)),
        (ca, FirstContact { endpoint_named: false, ..contact }, now, Err(R::EndpointNotNamed)),
        (Issuer { status: CaStatus::Inactive, ..ca }, contact, now, Err(R::CaInactive)),
        (Issuer { auto_registration: AutoRegistration::Disable, ..ca }, contact, now, Err(R::AutoRegistrationDisabled)),
        (Issuer { not_before: Timestamp::from_secs(1_501), ..ca }, contact, now, Err(R::CaOutsideValidity)),
        (Issuer { not_after: Timestamp::from_secs(1_499), ..ca }, contact, now, Err(R::CaOutsideValidity)),
        (ca, FirstContact { not_before: Timestamp::from_secs(1_501), ..contact }, now, Err(R::OutsideValidity)),
        (ca, FirstContact { not_after: Timestamp::from_secs(1_499), ..contact }, now, Err(R::OutsideValidity)),
        (ca, FirstContact { not_before: narrow_start, ..contact }, narrow_start, registered),
        (ca, FirstContact { not_after: narrow_end, ..contact }, narrow_end.plus_millis(999), registered),
        (ca, FirstContact { not_after: narrow_end, ..contact }, narrow_end.plus_millis(1_000), Err(R::OutsideValidity)),
    ];
    for (ca, contact, now, outcome) in cases {
        assert_eq!(auto_register(&ca, &contact, now), outcome, "{ca:?} {contact:?}");
    }
}
