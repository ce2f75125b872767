-- A small registry as a store of schema version 1 left it. Hex digits between at signs are bytes, each repeated to 32.

INSERT INTO accounts (account, created_at) VALUES ('123456789012', 1);
INSERT INTO accounts (account, created_at) VALUES ('210987654321', 2);
INSERT INTO access_keys (access_key_id, account, sealed_secret, session_token_sha256, policy, created_at, expires_at)
    VALUES ('AKIAEXAMPLE', '123456789012', @5e@, @7a@, '{}', 3, 4);
INSERT INTO certificates (certificate_id, account, region, status, mode, ca_certificate_id, previous_owned_by,
    generation_id, customer_version, created_at, last_modified_at, not_before, not_after, policy_count, thing_count,
    exclusive_thing_count)
    VALUES (@c1@, '123456789012', 'us-east-1', 'ACTIVE', 'DEFAULT', @ca@, '210987654321', 'generation-1', 7, 10, 11, 12,
        13, 1, 1, 1);
INSERT INTO certificates (certificate_id, account, region, status, mode, ca_certificate_id, previous_owned_by,
    generation_id, customer_version, created_at, last_modified_at, not_before, not_after, policy_count, thing_count,
    exclusive_thing_count)
    VALUES (@c2@, '123456789012', 'us-east-1', 'INACTIVE', 'SNI_ONLY', NULL, NULL, 'generation-2', 1, 20, 21, 22, 23, 0, 0,
        0);
INSERT INTO certificate_pems (certificate_id, account, region, pem) VALUES (@c1@, '123456789012', 'us-east-1', 'pem 1');
INSERT INTO certificate_pems (certificate_id, account, region, pem) VALUES (@c2@, '123456789012', 'us-east-1', 'pem 2');
INSERT INTO policies (account, region, name, default_version, next_version, version_count, attachment_count, row_version,
    generation_id, created_at, last_modified_at)
    VALUES ('123456789012', 'us-east-1', 'devices', 2, 3, 1, 1, 4, 'generation-p', 30, 31);
INSERT INTO policy_versions (account, region, name, version, document, created_at)
    VALUES ('123456789012', 'us-east-1', 'devices', 2, '{"Version":"2012-10-17"}', 32);
INSERT INTO policy_attachments (certificate_id, account, region, policy_name, attached_at)
    VALUES (@c1@, '123456789012', 'us-east-1', 'devices', 33);
INSERT INTO things (account, region, name, thing_id, thing_type_name, attributes, version, principal_count, created_at)
    VALUES ('123456789012', 'us-east-1', 'pump', 'thing-id', 'pumps', '{"site":"north"}', 5, 1, 40);
INSERT INTO thing_attributes (account, region, thing_name, attribute, value)
    VALUES ('123456789012', 'us-east-1', 'pump', 'site', 'north');
INSERT INTO thing_principals (certificate_id, account, region, thing_name, exclusive, attached_at)
    VALUES (@c1@, '123456789012', 'us-east-1', 'pump', 1, 41);
INSERT INTO tags (arn, tags, row_version)
    VALUES ('arn:aws:iot:us-east-1:123456789012:policy/devices', '{"owner":"ops"}', 2);
INSERT INTO endpoint_prefixes (prefix, account, region) VALUES ('a1b2c3d4e5f6g7', '123456789012', 'us-east-1');
INSERT INTO settings (name, value) VALUES ('marker-key', @3e@);
INSERT INTO issuances (serial, account, region, subject_der, tbs_sha256, requested_at, certificate_id)
    VALUES (@51@, '123456789012', 'us-east-1', @de@, @7b@, 50, @c1@);
INSERT INTO change_log (at, account, region, event, body)
    VALUES (60, '123456789012', NULL, 'access_keys', '{"event":"access_keys","account":"123456789012"}');
