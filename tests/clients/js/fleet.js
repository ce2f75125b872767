// A device on AWS's SDK for JavaScript that provisions itself with a claim: by the SDK's first or second identity client, over
// MQTT 3.1.1 or 5, with a key that it was given or one of its own. It prints what it was told.
"use strict";

const { iot, iotidentity, mqtt, mqtt5 } = require("aws-iot-device-sdk-v2");

const how = JSON.parse(process.argv[2]);
const PATIENCE_MS = 30_000;

async function connect5() {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(how.host, how.certificate, how.key);
  builder.withPort(how.port).withCertificateAuthorityFromPath(undefined, how.rootCa);
  builder.withConnectProperties({ clientId: how.clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = new Promise((resolve, reject) => {
    client.on("connectionSuccess", resolve);
    client.on("connectionFailure", (event) => reject(new Error(event.error.toString())));
  });
  client.start();
  await connected;
  return client;
}

async function connect311() {
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(how.certificate, how.key);
  builder.with_certificate_authority_from_path(undefined, how.rootCa);
  builder.with_endpoint(how.host).with_port(how.port).with_client_id(how.clientId).with_clean_session(true);
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  await connection.connect();
  return connection;
}

function rejection(error) {
  const { statusCode, errorCode } = error;
  return { statusCode, errorCode };
}

// The first identity client: subscribe to both answers, then publish.
function firstClient(client) {
  const identity =
    how.version === 5
      ? iotidentity.IotIdentityClient.newFromMqtt5Client(client)
      : new iotidentity.IotIdentityClient(client);
  const call = (operation, request) =>
    new Promise((resolve, reject) => {
      const hear = (settle) => (error, response) => (error ? reject(error) : settle(response));
      const qos = mqtt.QoS.AtLeastOnce;
      Promise.all([
        identity[`subscribeTo${operation}Accepted`](request, qos, hear(resolve)),
        identity[`subscribeTo${operation}Rejected`](request, qos, hear((told) => reject({ modeled: told }))),
      ])
        .then(() => identity[`publish${operation}`](request, qos))
        .catch(reject);
    });
  return {
    createKeysAndCertificate: (request) => call("CreateKeysAndCertificate", request),
    createCertificateFromCsr: (request) => call("CreateCertificateFromCsr", request),
    registerThing: (request) => call("RegisterThing", request),
    rejectionOf: (error) => rejection(error.modeled),
  };
}

// The second one pairs requests with answers by itself.
function secondClient(client) {
  const options = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 1, operationTimeoutInSeconds: 30 };
  const identity =
    how.version === 5
      ? iotidentity.IotIdentityClientv2.newFromMqtt5(client, options)
      : iotidentity.IotIdentityClientv2.newFromMqtt311(client, options);
  return {
    createKeysAndCertificate: (request) => identity.createKeysAndCertificate(request),
    createCertificateFromCsr: (request) => identity.createCertificateFromCsr(request),
    registerThing: (request) => identity.registerThing(request),
    rejectionOf: (error) => rejection(error.modeledError),
  };
}

async function provision() {
  const client = how.version === 5 ? await connect5() : await connect311();
  const identity = how.generation === 1 ? firstClient(client) : secondClient(client);
  const made = how.csr
    ? await identity.createCertificateFromCsr({ certificateSigningRequest: how.csr })
    : await identity.createKeysAndCertificate({});
  const request = { templateName: how.template, parameters: how.parameters };
  const refused = await identity.registerThing({ ...request, certificateOwnershipToken: "x" }).then(
    () => undefined,
    (error) => identity.rejectionOf(error),
  );
  const registered = await identity.registerThing({
    ...request,
    certificateOwnershipToken: made.certificateOwnershipToken,
  });
  return { made, refused, registered };
}

const late = setTimeout(() => {
  console.error(`nothing came within ${PATIENCE_MS} ms`);
  process.exit(1);
}, PATIENCE_MS);

provision().then(
  (outcome) => {
    clearTimeout(late);
    console.log(JSON.stringify(outcome));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
