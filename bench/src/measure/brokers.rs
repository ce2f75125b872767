//! Gatehouse and Mosquitto side by side, with a fleet that may connect to both, and the figures of what both did.

use std::sync::Arc;

use super::{Bench, FLEET};
use crate::authority::Authority;
use crate::children::Server;
use crate::figures::{Beside, Figure, Reach, Rounds};
use crate::fleet::{self, Identity};
use crate::options::KeyExchange;
use crate::registry::Data;
use crate::traffic::Cost;
use crate::{Outcome, mosquitto};

/// The two, or Gatehouse alone.
pub(super) struct Brokers {
    gatehouse: Server,
    mosquitto: Option<Server>,
    pub(super) fleet: Arc<[Identity]>,
    data: Data,
}

impl Bench<'_> {
    /// Both brokers, with `registered` certificates at Gatehouse.
    pub(super) async fn brokers(&self, registered: u64) -> Outcome<Brokers> {
        let data = self.data(registered).await?;
        // Mosquitto knows whom a common authority has signed; Gatehouse knows each one.
        let authority = Authority::make()?;
        let key_exchange = match self.options.key_exchange {
            // Debian's OpenSSL turns away who offers this one, and a message costs the same after any handshake.
            KeyExchange::Hybrid if !self.options.without_mosquitto => KeyExchange::X25519,
            named => named,
        };
        let fleet = fleet::make_signed(FLEET, &authority, &data.path, key_exchange)?;
        data.register(&fleet).await?;
        let gatehouse = self.gatehouse(&data).await?;
        let mosquitto = match self.options.without_mosquitto {
            true => None,
            false => Some(mosquitto::start(&authority).await?),
        };
        Ok(Brokers { gatehouse, mosquitto, fleet: fleet.into(), data })
    }
}

impl Brokers {
    /// Lets the brokers take turns at `round`. When Mosquitto fails, that is told, and Gatehouse goes on alone.
    pub(super) async fn compare(&self, rounds: u32, round: impl AsyncFn(&Server) -> Outcome<Cost>) -> Outcome<Costs> {
        let mut costs = Costs { gatehouse: Vec::new(), mosquitto: Vec::new() };
        let mut rival = self.mosquitto.as_ref();
        for _ in 0..rounds {
            if let Some(mosquitto) = rival {
                match round(mosquitto).await {
                    Ok(cost) => costs.mosquitto.push(cost),
                    Err(failure) => {
                        eprintln!("mosquitto is left out of this comparison: {failure}");
                        costs.mosquitto.clear();
                        rival = None;
                    }
                }
            }
            costs.gatehouse.push(round(&self.gatehouse).await?);
        }
        Ok(costs)
    }

    pub(super) async fn stop(self) -> Outcome {
        self.gatehouse.stop().await?;
        if let Some(mosquitto) = self.mosquitto {
            mosquitto.stop().await?;
        }
        drop(self.data);
        Ok(())
    }
}

/// What each round cost.
pub(super) struct Costs {
    gatehouse: Vec<Cost>,
    mosquitto: Vec<Cost>,
}

impl Costs {
    /// Server CPU for each of `count`, in the median of the rounds.
    pub(super) fn cpu_median(&self, mode: &'static str, what: &str, count: u32, reach: Option<Reach>) -> Figure {
        self.figure(mode, what, "µs", reach, Rounds::median, |cost| cost.microseconds_each(count))
    }

    /// The same in the cheapest round.
    pub(super) fn cpu_least(&self, mode: &'static str, what: &str, count: u32) -> Figure {
        self.figure(mode, what, "µs", None, Rounds::min, |cost| cost.microseconds_each(count))
    }

    /// How many of `count` a second, in the median of the rounds.
    pub(super) fn rate(&self, mode: &'static str, what: &str, count: u32) -> Figure {
        self.figure(mode, what, "/s", None, Rounds::median, |cost| cost.per_second(count))
    }

    fn figure(
        &self,
        mode: &'static str,
        what: &str,
        unit: &'static str,
        reach: Option<Reach>,
        choose: impl Fn(&Rounds) -> f64,
        value: impl Fn(&Cost) -> f64,
    ) -> Figure {
        let chosen = |costs: &[Cost]| {
            let mut rounds = Rounds::new();
            costs.iter().for_each(|cost| rounds.push(value(cost)));
            choose(&rounds)
        };
        let beside = (!self.mosquitto.is_empty()).then(|| Beside::Mosquitto(chosen(&self.mosquitto)));
        Figure { mode, what: what.to_owned(), unit, gatehouse: chosen(&self.gatehouse), beside, reach }
    }
}
