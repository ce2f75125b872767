//! Every bound of the house on one page. Source, unless said otherwise: "AWS IoT Core endpoints and quotas".

use std::time::Duration;

/// A control API body, in bytes. (Ours; the largest input of the model fits.)
pub const API_BODY_BYTES: usize = 1024 * 1024;
/// Bodies of the control API in memory at once, in bytes, over all callers. (Ours.)
pub const API_BODIES_BYTES: usize = 256 * 1024 * 1024;
/// How far a SigV4 date may lie from our clock.
pub const SIGV4_CLOCK_SKEW: Duration = Duration::from_secs(15 * 60);
/// Items on a page when the caller does not say.
pub const PAGE_SIZE_DEFAULT: u32 = 25;
/// Items on a page at most (service model, `PageSize`).
pub const PAGE_SIZE_MAX: u32 = 250;
/// How often an operation runs again after losing a race, before it answers ServiceUnavailable. (Ours.)
pub const COMMIT_ATTEMPTS: u32 = 16;

/// A certificate signing request, in characters (service model, `CertificateSigningRequest`).
pub const CSR_CHARACTERS: usize = 4096;
/// A certificate, in characters of PEM (service model, `CertificatePem`).
pub const CERTIFICATE_PEM_CHARACTERS: usize = 65_536;
/// Registered CA certificates with one subject.
pub const CA_CERTIFICATES_PER_SUBJECT: usize = 10;
/// Certificates that are looked at of those that a device presents, its own among them. (Ours.)
pub const CHAIN_CERTIFICATES: usize = 10;
/// A certificate that a device presents, in bytes of DER. (Ours.)
pub const CHAIN_CERTIFICATE_BYTES: usize = 16 * 1024;
/// The smallest RSA key, in bits.
pub const RSA_BITS_MIN: usize = 2048;
/// The largest RSA key, in bits: beyond, arithmetic is a denial of service. (Ours.)
pub const RSA_BITS_MAX: usize = 8192;

/// Calls that wait for a key pair at once; more are throttled. (Ours.)
pub const KEY_PAIR_QUEUE: usize = 64;
/// RSA key pairs made at once for waiting calls: each takes a core for a tenth of a second or more. (Ours.)
pub const KEY_PAIR_CORES: usize = 2;

/// Refusals kept of one certificate. (Ours.)
pub const REFUSALS_PER_CERTIFICATE: u32 = 20;
/// Refusals kept in total. (Ours.)
pub const REFUSALS: u32 = 100_000;

/// Versions of a policy.
pub const POLICY_VERSIONS: u32 = 5;
/// A policy document, in characters without white space.
pub const POLICY_CHARACTERS: usize = 2048;
/// A policy document, in characters at all (service model, `PolicyDocument`).
pub const POLICY_CHARACTERS_RAW: usize = 404_600;
/// Policies attached to one certificate.
pub const POLICIES_PER_CERTIFICATE: u32 = 10;
/// Policies that TestAuthorization adds or leaves out at once. (Ours.)
pub const POLICIES_TESTED: usize = 10;
/// Resources that TestAuthorization looks at for one action. (Ours.)
pub const RESOURCES_TESTED: usize = 100;
/// Attributes of a thing without a thing type.
pub const THING_ATTRIBUTES: usize = 3;
/// Attributes of a thing with a thing type.
pub const THING_ATTRIBUTES_TYPED: usize = 50;
/// Thing groups that a thing is in.
pub const THING_GROUPS_PER_THING: usize = 10;
/// Thing groups from the root of a tree to its deepest leaf.
pub const THING_GROUP_DEPTH: usize = 7;
/// Direct child groups of a thing group.
pub const THING_GROUP_CHILDREN: u32 = 100;
/// Attributes of a thing group.
pub const THING_GROUP_ATTRIBUTES: usize = 50;
/// Policies attached to one thing group. (Ours; as of a certificate.)
pub const POLICIES_PER_THING_GROUP: u32 = 10;
/// Searchable attributes of a thing type.
pub const SEARCHABLE_ATTRIBUTES: usize = 3;
/// How long a thing type is deprecated before it may be deleted, in milliseconds (API reference, DeleteThingType).
pub const DEPRECATED_BEFORE_DELETION_MS: i64 = 5 * 60 * 1000;
/// Billing groups of a scope.
pub const BILLING_GROUPS: u32 = 20_000;
/// Tags on one resource.
pub const TAGS_PER_RESOURCE: usize = 50;

/// How long a certificate made in fleet provisioning waits for its thing, in milliseconds: an hour.
pub const OWNERSHIP_TOKEN_MS: i64 = 60 * 60 * 1000;
/// Devices of a scope that are provisioned at once; others wait. (Ours.)
pub const PROVISIONING_AT_ONCE: usize = 32;
/// Devices of a scope that are provisioned or wait for it; more are throttled. (Ours.)
pub const PROVISIONING_PER_SCOPE: usize = 2_048;

/// Requests of fleet provisioning of one connection that wait for their answers; more are throttled. (Ours.)
pub const PROVISIONING_PER_CONNECTION: usize = 4;

/// Role aliases of a scope.
pub const ROLE_ALIASES: u32 = 100;
/// Shortest life of credentials for a device, in seconds (service model, `CredentialDurationSeconds`).
pub const CREDENTIAL_DURATION_MIN_SECS: u32 = 900;
/// Longest life of credentials for a device, in seconds (service model, `CredentialDurationSeconds`).
pub const CREDENTIAL_DURATION_MAX_SECS: u32 = 43_200;
/// Credentials given to the devices of a scope in one second.
pub const CREDENTIALS_PER_SECOND: u32 = 50;

/// Certificate providers of a scope.
pub const CERTIFICATE_PROVIDERS: u32 = 1;
/// How far in the future a certificate may begin that a provider has just issued: its clock is another. (Ours.)
pub const PROVIDER_CLOCK_SKEW_MS: i64 = 5 * 60 * 1000;
/// From calling a function to the end of its answer ("Self-managed certificate signing", "Pre-provisioning hooks").
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The answer of a function, in bytes. (Ours.)
pub const FUNCTION_ANSWER_BYTES: usize = 256 * 1024;
/// Calls of functions under way at once; more are turned away. (Ours.)
pub const FUNCTION_CALLS: usize = 512;
/// The same of one scope, so that its slow functions hold up nobody else. (Ours.)
pub const FUNCTION_CALLS_PER_SCOPE: usize = 32;

/// Domain configurations of a scope, besides its endpoints.
pub const DOMAIN_CONFIGURATIONS: u32 = 10;
/// Certificates that a server shows, its own among them.
pub const SERVER_CHAIN_CERTIFICATES: usize = 5;
/// The same, in bytes of DER together.
pub const SERVER_CHAIN_BYTES: usize = 16 * 1024;

/// Provisioning templates of a scope.
pub const PROVISIONING_TEMPLATES: u32 = 256;
/// Versions of a provisioning template.
pub const PROVISIONING_TEMPLATE_VERSIONS: u32 = 5;
/// The body of a provisioning template, in bytes.
pub const TEMPLATE_BODY_BYTES: usize = 10_240;
/// The name of a template's parameter, in characters (service model, `Parameter`).
pub const TEMPLATE_PARAMETER_KEY_CHARACTERS: usize = 2048;
/// The value of a template's parameter, in characters (service model, `Value`).
pub const TEMPLATE_PARAMETER_VALUE_CHARACTERS: usize = 4096;
/// The value of a parameter that gets into a policy, in characters. (Ours.)
pub const TEMPLATE_POLICY_VALUE_CHARACTERS: usize = 128;
/// A text that a template makes of its parameters, in bytes. (Ours.)
pub const TEMPLATE_TEXT_BYTES: usize = 16 * 1024;
/// All texts that come up while a template is filled in, in bytes. (Ours.)
pub const TEMPLATE_WORK_BYTES: usize = 64 * 1024;
/// The value of a thing's attribute, in characters (service model, `AttributeValue`).
pub const ATTRIBUTE_VALUE_CHARACTERS: usize = 800;

/// A line of a registration task's input file, in bytes without its end.
pub const REGISTRATION_LINE_BYTES: usize = 256 * 1024;
/// How long a registration task may take, and how long it and its reports are kept after its end, in milliseconds.
pub const REGISTRATION_TASK_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Registration tasks that are worked on at once; others wait for their turn. (Ours.)
pub const REGISTRATION_TASKS_AT_ONCE: usize = 32;
/// How long a registration task has its turn when others wait. (Ours.)
pub const REGISTRATION_TURN: Duration = Duration::from_secs(30);
/// Lines of one registration task under way at once. (Ours: enough to fill a flush of the store.)
pub const REGISTRATION_LINES: usize = 32;
/// The same of all registration tasks together, shared out among them: what a device waits for behind them is bounded. (Ours.)
pub const REGISTRATION_LINES_AT_ONCE: usize = 64;
/// How long a link to a report of a registration task is good, in milliseconds. (Ours.)
pub const REPORT_LINK_MS: i64 = 60 * 60 * 1000;
/// Reports of registration tasks that are sent at once; more are turned away. (Ours.)
pub const REPORTS_AT_ONCE: usize = 64;
/// The same of one scope. (Ours.)
pub const REPORTS_PER_SCOPE: usize = 4;

/// A client id, in bytes.
pub const CLIENT_ID_BYTES: usize = 128;
/// Shortest keep-alive, in seconds; shorter ones count as this.
pub const KEEP_ALIVE_MIN_SECS: u16 = 30;
/// Longest keep-alive, in seconds; longer ones and 0 count as this.
pub const KEEP_ALIVE_MAX_SECS: u16 = 1200;
/// Payload of a message, in bytes.
pub const PAYLOAD_BYTES: usize = 128 * 1024;
/// Variable header and payload of an MQTT packet, in bytes.
pub const PACKET_BYTES: usize = 146 * 1024;
/// Smallest Maximum Packet Size that an MQTT 5 client may ask for, in bytes.
pub const CLIENT_PACKET_BYTES_MIN: u32 = 512;
/// Topic names and filters, in bytes.
pub const TOPIC_BYTES: usize = 256;
/// Slashes in a topic name or filter.
pub const TOPIC_SLASHES: usize = 7;
/// Filters in one SUBSCRIBE or UNSUBSCRIBE.
pub const FILTERS_PER_SUBSCRIBE: usize = 8;
/// The name of a shared subscription, in characters.
pub const SHARE_NAME_CHARACTERS: usize = 128;
/// Shared subscriptions of a scope.
pub const SHARED_GROUPS: usize = 100;
/// Members of a shared subscription.
pub const SHARED_MEMBERS: usize = 100;
/// Messages that wait for a shared subscription; new ones are dropped beyond.
pub const QUEUED_PER_SHARED_GROUP: u32 = 500_000;
/// Subscriptions of one connection.
pub const SUBSCRIPTIONS_PER_CONNECTION: usize = 50;
/// Unacknowledged QoS 1 messages to one client, and from it.
pub const IN_FLIGHT: u16 = 100;
/// Topic aliases per direction.
pub const TOPIC_ALIASES: u16 = 8;
/// Message Expiry Interval, in seconds; longer ones count as this.
pub const MESSAGE_EXPIRY_SECS: u32 = 604_800;

/// The Message Expiry Interval in force for the one that was asked for, in seconds: 0 counts as 1.
#[must_use]
pub fn message_expiry_secs(asked: u32) -> u32 {
    asked.clamp(1, MESSAGE_EXPIRY_SECS)
}

/// Content Type of a message, in bytes.
pub const CONTENT_TYPE_BYTES: usize = 256;
/// Correlation Data of a message, in bytes.
pub const CORRELATION_DATA_BYTES: usize = 8 * 1024;
/// User Properties of a packet together, in bytes.
pub const USER_PROPERTIES_BYTES: usize = 8 * 1024;
/// Messages waiting in the store for one session; more are dropped. (Ours.)
pub const QUEUED_PER_SESSION: u32 = 100_000;
/// Clients of a scope that are gone without a session and remembered for their next connection. (Ours.)
pub const DEPARTED_CLIENTS: usize = 100_000;
/// How long they are remembered, in milliseconds ("Lifecycle events", `versionNumber`).
pub const DEPARTED_MS: i64 = 60 * 60 * 1000;
/// Retained messages of a scope.
pub const RETAINED_MESSAGES: u32 = 500_000;
/// Messages waiting for one connection's socket; more are dropped (QoS 0) or end the connection (QoS 1). (Ours.)
pub const OUTBOUND_QUEUE: usize = 1_000;
/// Bytes of messages waiting for one connection's socket; the same happens beyond. (Ours: 16 s of AWS's throughput per
/// connection, and more than one message of any size.)
pub const OUTBOUND_QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// The same for all connections together. (Ours.)
pub const OUTBOUND_QUEUES_BYTES: usize = 1024 * 1024 * 1024;

/// Bodies of HTTPS requests of devices in memory at once, in bytes, over all devices. (Ours.)
pub const HTTPS_BODIES_BYTES: usize = 64 * 1024 * 1024;
/// How long an HTTPS connection may take from one request to the end of the next one's head. (Ours.)
pub const HTTPS_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Header fields of one HTTPS request. (Ours.)
pub const HTTPS_HEADERS: usize = 64;
/// Head of one HTTPS request, in bytes. (Ours.)
pub const HTTPS_HEAD_BYTES: usize = 32 * 1024;
/// How long a WebSocket may be open ("WebSocket connection duration").
pub const WEBSOCKET_LIFETIME: Duration = Duration::from_secs(86_400);
/// Payload of a WebSocket message from a client, in bytes: any MQTT packet fits. (Ours.)
pub const WEBSOCKET_MESSAGE_BYTES: usize = 256 * 1024;

/// From accept to a complete TLS handshake. (Ours.)
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// From handshake to a complete CONNECT. (Ours.)
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes under way at once; more wait in the listen backlog. (Ours.)
pub const HANDSHAKES_AT_ONCE: usize = 4096;
/// Connections to a gateway at once. (Ours.)
pub const CONNECTIONS: usize = 200_000;
/// Log lines a second about refused strangers; the metrics count all of them. (Ours.)
pub const REFUSAL_LINES_PER_SECOND: u32 = 50;
/// Characters of a stranger's text that a log line shows. (Ours.)
pub const LOGGED_CHARACTERS: usize = 128;
/// Characters of an explanation that a log line shows. (Ours.)
pub const LOGGED_DETAILS: usize = 512;
/// Arrivals (handshake, waiting for CONNECT) from one address, or one IPv6 /64, at once; more are closed. (Ours.)
pub const ARRIVALS_PER_SOURCE: usize = 1024;
/// How long a node may be unable to read the change log before it admits nobody new. (Ours.)
pub const LOG_SILENCE: Duration = Duration::from_secs(5);
/// How often the change log is read for changes made by other processes. (Ours.)
pub const LOG_POLL: Duration = Duration::from_millis(500);
