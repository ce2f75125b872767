//! `gatehouse hosts`: lines for /etc/hosts, for machines without DNS for the device endpoints.

use gatehouse_domain::endpoint::{EndpointName, EndpointType};

use super::say;
use crate::config::Config;
use crate::failure::Failure;
use crate::house;

pub(crate) async fn run(config: Config) -> Result<(), Failure> {
    let opened = house::open(&config).await?;
    house::complete_endpoints(&opened, &config).await?;
    let address = config.listen.mqtt.ip();
    let address = if address.is_unspecified() { "127.0.0.1".to_owned() } else { address.to_string() };
    for (scope, prefix) in opened.store.endpoints().await? {
        let hosts = EndpointType::ALL.map(|endpoint_type| {
            EndpointName { endpoint_type, prefix: prefix.clone(), region: scope.region }.host(&config.domain)
        });
        say(format!("{address} {}  # account {} in {}", hosts.join(" "), scope.account, scope.region));
    }
    opened.store.close().await?;
    Ok(())
}
