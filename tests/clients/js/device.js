// A device on AWS's SDK for JavaScript: connects in the way that its argument says, publishes a message to itself, and prints
// what it hears.
"use strict";

const { auth, iot, mqtt, mqtt5 } = require("aws-iot-device-sdk-v2");

const how = JSON.parse(process.argv[2]);
const PATIENCE_MS = 30_000;

function credentials() {
  return auth.AwsCredentialsProvider.newStatic(how.accessKeyId, how.secretAccessKey);
}

async function mqtt5Device() {
  const signing = () => ({ region: how.region, credentialsProvider: credentials() });
  const builder = how.websocket
    ? iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(how.host, signing())
    : iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(how.host, how.certificate, how.key);
  builder.withPort(how.port).withCertificateAuthorityFromPath(undefined, how.rootCa);
  builder.withConnectProperties({ clientId: how.clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = new Promise((resolve, reject) => {
    client.on("connectionSuccess", resolve);
    client.on("connectionFailure", (event) => reject(new Error(event.error.toString())));
  });
  const heard = new Promise((resolve) => client.on("messageReceived", (event) => resolve(event.message.payload)));
  const stopped = new Promise((resolve) => client.on("stopped", resolve));
  client.start();
  await connected;
  const suback = await client.subscribe({ subscriptions: [{ topicFilter: how.topic, qos: mqtt5.QoS.AtLeastOnce }] });
  const puback = await client.publish({ topicName: how.topic, qos: mqtt5.QoS.AtLeastOnce, payload: "hello" });
  const payload = Buffer.from(await heard).toString();
  client.stop();
  await stopped;
  client.close();
  return { suback: suback.reasonCodes, puback: puback.reasonCode, payload };
}

async function mqtt311Device() {
  const builder = how.websocket
    ? iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({
        region: how.region,
        credentials_provider: credentials(),
      })
    : iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(how.certificate, how.key);
  builder.with_certificate_authority_from_path(undefined, how.rootCa);
  builder.with_endpoint(how.host).with_port(how.port).with_client_id(how.clientId).with_clean_session(true);
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  await connection.connect();
  let hear;
  const heard = new Promise((resolve) => (hear = resolve));
  const suback = await connection.subscribe(how.topic, mqtt.QoS.AtLeastOnce, (_topic, payload) => hear(payload));
  await connection.publish(how.topic, "hello", mqtt.QoS.AtLeastOnce);
  const payload = Buffer.from(await heard).toString();
  await connection.disconnect();
  return { suback: [suback.qos], puback: 0, payload };
}

const late = setTimeout(() => {
  console.error(`nothing came within ${PATIENCE_MS} ms`);
  process.exit(1);
}, PATIENCE_MS);

(how.version === 5 ? mqtt5Device() : mqtt311Device()).then(
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
