//! Fleet provisioning as devices meet it: templates, claims, requests with their answers, and the functions that are asked.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_control::functions::function::Function;
use gatehouse_control::outgoing::Plain;
use gatehouse_domain::event::Event;
use gatehouse_domain::provisioning_template::{Hook, PayloadVersion, TemplateType};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Clock as _;
use gatehouse_mqtt::packet::Publish;
use gatehouse_mqtt::{Delivery, Packet, Qos};
use gatehouse_store::{ProvisioningClaimRecord, ProvisioningTemplateRecord};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use minicbor::data::Type;
use parking_lot::Mutex;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::{Client, Device, Gate, Key, Registrar, home, publish};

/// The function that templates of tests have as their hook, unless they say otherwise.
pub(crate) const HOOK: &str = "arn:aws:lambda:us-east-1:000000000000:function:hook";

pub(crate) const CREATE: &str = "$aws/certificates/create/json";
pub(crate) const CREATE_FROM_CSR: &str = "$aws/certificates/create-from-csr/json";
/// To provision by the template `fleet`.
pub(crate) const PROVISION: &str = "$aws/provisioning-templates/fleet/provision/json";

/// What a device of a fleet may do: connect under its thing's name, and publish below it.
const DEVICE_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"},
    {"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/${iot:Connection.Thing.ThingName}/*"}]}"#;

/// A template for things called as the parameter `SerialNumber` says; `more` members stand in the place of its own.
pub(crate) fn template(more: &Value) -> Value {
    let mut body = json!({
        "Parameters": { "SerialNumber": { "Type": "String" } },
        "Resources": {
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": { "CertificateId": { "Ref": "AWS::IoT::Certificate::Id" } },
            },
            "thing": { "Type": "AWS::IoT::Thing", "Properties": { "ThingName": { "Ref": "SerialNumber" } } },
            "policy": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": DEVICE_POLICY } },
        },
    });
    merge(&mut body, more);
    body
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

impl Registrar {
    /// Makes an enabled template.
    pub(crate) async fn make_template(&self, scope: Scope, name: &str, body: &Value) {
        let record = ProvisioningTemplateRecord {
            scope,
            name: name.parse().unwrap(),
            template_type: TemplateType::FleetProvisioning,
            description: None,
            enabled: true,
            role_arn: format!("arn:aws:iam::{}:role/provisioning", scope.account).parse().unwrap(),
            hook: None,
            default_version: 1,
            next_version: 2,
            version_count: 1,
            row_version: 1,
            generation_id: "1".to_owned(),
            created_at: self.clock.now(),
            last_modified_at: self.clock.now(),
        };
        self.make_template_as(&record, body).await;
    }

    pub(crate) async fn make_template_as(&self, record: &ProvisioningTemplateRecord, body: &Value) {
        self.write(|batch| batch.insert_provisioning_template(record, &body.to_string())).await;
    }

    pub(crate) async fn template(&self, scope: Scope, name: &str) -> ProvisioningTemplateRecord {
        self.store.provisioning_template(scope, &name.parse().unwrap()).await.unwrap().unwrap()
    }

    /// Changes a template at home.
    pub(crate) async fn change_template(&self, name: &str, change: impl FnOnce(&mut ProvisioningTemplateRecord)) {
        let current = self.template(home(), name).await;
        let mut wanted = current.clone();
        change(&mut wanted);
        self.write(|batch| {
            batch.update_provisioning_template(&current, &wanted);
            batch.announce(Event::ProvisioningTemplate { scope: home(), template_name: current.name.clone() });
        })
        .await;
    }

    /// Deletes a template at home, as the operation does.
    pub(crate) async fn delete_template(&self, name: &str) {
        let record = self.template(home(), name).await;
        self.write(|batch| {
            batch.delete_provisioning_claims(home(), &record.name);
            batch.delete_provisioning_template(&record);
            batch.announce(Event::ProvisioningTemplate { scope: home(), template_name: record.name.clone() });
        })
        .await;
    }
}

impl Gate {
    /// A claim of a trusted user on a template at home, for five minutes.
    pub(crate) async fn claim(&self, template_name: &str) -> Device {
        let device = Device::with_key(Key::P256);
        let now = self.house.clock.now();
        let record = ProvisioningClaimRecord {
            scope: home(),
            certificate_id: device.id,
            template_name: template_name.parse().unwrap(),
            not_before: now.plus_millis(-120_000),
            not_after: now.plus_millis(300_000),
        };
        self.registrar.write(|batch| batch.insert_provisioning_claim(&record)).await;
        device
    }

    /// Gives the template `fleet` a hook, which answers by `say`.
    pub(crate) async fn hook(&self, say: impl Fn(&Value) -> Said + Send + Sync + 'static) -> FunctionServer {
        let server = FunctionServer::new(say).await;
        self.house.functions.put(HOOK.parse().unwrap(), server.function());
        self.name_hook(HOOK).await;
        server
    }

    /// Gives the template `fleet` the hook `arn`.
    pub(crate) async fn name_hook(&self, arn: &str) {
        let hook = Hook { payload_version: PayloadVersion::default(), target_arn: arn.parse().unwrap() };
        self.registrar.change_template("fleet", |template| template.hook = Some(hook)).await;
    }

    /// Requests of fleet provisioning that came to this.
    pub(crate) fn provisioned(&self, operation: &str, result: &str) -> u64 {
        self.metric(&format!("gatehouse_provisioning_total{{operation=\"{operation}\",result=\"{result}\"}}"))
    }
}

/// A certificate that was asked for.
pub(crate) struct Fresh {
    pub(crate) token: String,
    pub(crate) device: Device,
}

impl Client {
    /// Publishes a request and waits for its answer: accepted or rejected. With QoS 1 the PUBACK comes first.
    pub(crate) async fn request(&mut self, topic: &str, payload: &[u8], qos: Qos) -> Publish {
        let delivery = match qos {
            Qos::AtMostOnce => Delivery::AtMostOnce,
            _ => Delivery::AtLeastOnce(self.new_id()),
        };
        let Packet::Publish(mut request) = publish(delivery, topic, "") else { panic!() };
        request.payload = Bytes::copy_from_slice(payload);
        self.send(&Packet::Publish(request)).await;
        if let Some(packet_id) = delivery.packet_id() {
            match self.receive().await {
                Some(Packet::PubAck(ack)) => assert_eq!((ack.packet_id, ack.reason.value()), (packet_id, 0)),
                other => panic!("{other:?}"),
            }
        }
        self.message().await
    }

    /// Asks with QoS 1 for what `body` says, in the topic's format; rejected, the answer is an `Err`.
    pub(crate) async fn ask_service(&mut self, topic: &str, body: &Value) -> Result<Value, Value> {
        let payload = if topic.ends_with("cbor") { to_cbor(body) } else { body.to_string().into_bytes() };
        let answer = self.request(topic, &payload, Qos::AtLeastOnce).await;
        answered(topic, &answer)
    }

    /// The `errorCode` of the rejection that the request must meet.
    pub(crate) async fn rejected(&mut self, topic: &str, body: &Value) -> String {
        let answer = self.ask_service(topic, body).await.unwrap_err();
        let code = answer["errorCode"].as_str().unwrap().to_owned();
        let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
        assert_eq!(members, ["errorCode", "errorMessage", "statusCode"]);
        assert!((400..600).contains(&answer["statusCode"].as_i64().unwrap()), "{answer}");
        assert!(!answer["errorMessage"].as_str().unwrap().is_empty());
        code
    }

    /// A certificate for a new key of the device's own.
    pub(crate) async fn fresh(&mut self) -> Fresh {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let made = self.ask_service(CREATE_FROM_CSR, &json!({ "certificateSigningRequest": csr(&key) })).await.unwrap();
        let certificate = made["certificatePem"].as_str().unwrap();
        let device = Device::of(certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        assert_eq!(made["certificateId"], device.id.to_string());
        Fresh { token: made["certificateOwnershipToken"].as_str().unwrap().to_owned(), device }
    }

    /// Registers a thing by `fleet` with `token`, as `serial` says.
    pub(crate) async fn register(&mut self, token: &str, serial: &str) -> Result<Value, Value> {
        self.ask_service(PROVISION, &registration(token, serial)).await
    }

    /// The `errorCode` of what [`Self::register`] must meet.
    pub(crate) async fn not_registered(&mut self, token: &str, serial: &str) -> String {
        self.rejected(PROVISION, &registration(token, serial)).await
    }
}

/// A request of RegisterThing.
pub(crate) fn registration(token: &str, serial: &str) -> Value {
    json!({ "certificateOwnershipToken": token, "parameters": { "SerialNumber": serial } })
}

/// A request for a certificate, in PEM.
pub(crate) fn csr(key: &KeyPair) -> String {
    CertificateParams::new(Vec::new()).unwrap().serialize_request(key).unwrap().pem().unwrap()
}

/// Reads the answer to a request on `topic`: an `Err` when it is rejected.
pub(crate) fn answered(topic: &str, answer: &Publish) -> Result<Value, Value> {
    let body = if topic.ends_with("cbor") {
        let mut decoder = minicbor::Decoder::new(&answer.payload);
        let body = from_cbor(&mut decoder);
        assert_eq!(decoder.position(), answer.payload.len());
        body
    } else {
        serde_json::from_slice(&answer.payload).unwrap()
    };
    match answer.topic.as_str().strip_prefix(topic) {
        Some("/accepted") => Ok(body),
        Some("/rejected") => Err(body),
        _ => panic!("{} answers {topic}", answer.topic.as_str()),
    }
}

fn to_cbor(value: &Value) -> Vec<u8> {
    fn write(value: &Value, encoder: &mut minicbor::Encoder<Vec<u8>>) {
        match value {
            Value::Object(members) => {
                encoder.map(members.len() as u64).unwrap();
                for (name, value) in members {
                    encoder.str(name).unwrap();
                    write(value, encoder);
                }
            }
            value => {
                encoder.str(value.as_str().unwrap()).unwrap();
            }
        }
    }
    let mut encoder = minicbor::Encoder::new(Vec::new());
    write(value, &mut encoder);
    encoder.into_writer()
}

fn from_cbor(decoder: &mut minicbor::Decoder<'_>) -> Value {
    match decoder.datatype().unwrap() {
        Type::Map => {
            let length = decoder.map().unwrap().unwrap();
            let members = (0..length).map(|_| (decoder.str().unwrap().to_owned(), from_cbor(decoder)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Type::String => json!(decoder.str().unwrap()),
        _ => json!(decoder.i64().unwrap()),
    }
}

impl Device {
    /// A device with this certificate in PEM and its key.
    pub(crate) fn of(certificate: &str, key: PrivateKeyDer<'static>) -> Self {
        Self::new(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap(), key)
    }

    /// A device with a certificate and a key that were made for it.
    pub(crate) fn of_answer(made: &Value) -> Self {
        let key = PrivateKeyDer::from_pem_slice(made["privateKey"].as_str().unwrap().as_bytes()).unwrap();
        Self::of(made["certificatePem"].as_str().unwrap(), key)
    }
}

/// What a function does with a call.
pub(crate) enum Said {
    Json(Value),
    /// This status, with no JSON.
    Status(u16),
    /// So many bytes of JSON.
    Long(usize),
    /// When the semaphore has a permit.
    Later(Arc<tokio::sync::Semaphore>, Value),
    Nothing,
}

/// Allows provisioning with the parameters as they are.
pub(crate) fn allows() -> Said {
    Said::Json(json!({ "allowProvisioning": true }))
}

/// A server that answers every call of a function by what a test says.
pub(crate) struct FunctionServer {
    address: String,
    heard: Arc<Mutex<Vec<Value>>>,
    task: AbortHandle,
}

impl Drop for FunctionServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FunctionServer {
    pub(crate) async fn new(say: impl Fn(&Value) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (say, ears) = (Arc::new(say), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (say, ears) = (Arc::clone(&say), Arc::clone(&ears));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (say, ears) = (Arc::clone(&say), Arc::clone(&ears));
                    async move {
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let event: Value = serde_json::from_slice(&body).unwrap();
                        let said = say(&event);
                        ears.lock().push(event);
                        Ok::<_, Infallible>(answer(said).await)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, heard, task: task.abort_handle() }
    }

    pub(crate) fn function(&self) -> Function {
        Function::at_url(self.address.parse().unwrap(), Arc::new(Plain))
    }

    /// The events of all calls so far.
    pub(crate) fn heard(&self) -> Vec<Value> {
        self.heard.lock().clone()
    }
}

async fn answer(said: Said) -> http::Response<Full<Bytes>> {
    let (status, body) = match said {
        Said::Json(body) => (200, body.to_string()),
        Said::Status(status) => (status, "no JSON".to_owned()),
        Said::Long(bytes) => (200, json!({ "allowProvisioning": true, "more": "x".repeat(bytes) }).to_string()),
        Said::Later(gate, body) => {
            gate.acquire().await.unwrap().forget();
            (200, body.to_string())
        }
        Said::Nothing => std::future::pending().await,
    };
    http::Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap()
}
