// A device on AWS's SDK for JavaScript that has a claim: asks for a certificate, by a signing request where it has one, registers
// a thing with it, and prints what it hears.
"use strict";

const { iot, iotidentity, mqtt, mqtt5 } = require("aws-iot-device-sdk-v2");

const how = JSON.parse(process.argv[2]);
const OPTIONS = { maxRequestResponseSubscriptions: 5, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: 30 };
const PATIENCE_MS = 40_000;

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
  return iotidentity.IotIdentityClientv2.newFromMqtt5(client, OPTIONS);
}

async function connect311() {
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(how.certificate, how.key);
  builder.with_certificate_authority_from_path(undefined, how.rootCa);
  builder.with_endpoint(how.host).with_port(how.port).with_client_id(how.clientId).with_clean_session(true);
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  await connection.connect();
  return iotidentity.IotIdentityClientv2.newFromMqtt311(connection, OPTIONS);
}

async function provision() {
  const identity = await (how.version === 5 ? connect5() : connect311());
  const made = how.csr
    ? await identity.createCertificateFromCsr({ certificateSigningRequest: how.csr })
    : await identity.createKeysAndCertificate({});
  const registration = (token) => ({
    templateName: how.template,
    certificateOwnershipToken: token,
    parameters: { Serial: how.serial },
  });
  let rejected;
  try {
    await identity.registerThing(registration("not a token"));
  } catch (error) {
    rejected = error.modeledError.errorCode;
  }
  const registered = await identity.registerThing(registration(made.certificateOwnershipToken));
  return {
    certificateId: made.certificateId,
    certificatePem: made.certificatePem,
    privateKey: made.privateKey,
    thingName: registered.thingName,
    deviceConfiguration: registered.deviceConfiguration,
    rejected,
  };
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
    console.error(error, error.modeledError);
    process.exit(1);
  },
);
