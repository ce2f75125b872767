//! The measurements, one file each, and what they share: a bench with a filled registry, the two servers on it, and
//! devices that both let in.

mod admission;
mod api;
mod brokers;
mod bulk;
mod fan_in;
mod fan_out;
mod idle;
mod just_in_time;
mod messages;
mod offline;
mod provision;
mod revoke;
mod start;
mod storm;

use std::path::PathBuf;
use std::sync::Arc;

use crate::children::{self, Server};
use crate::figures::Figures;
use crate::fleet::{self, Identity};
use crate::options::{Mode, Options};
use crate::registry::Data;
use crate::{Outcome, process};

/// Certificates that a usual fleet shares.
const FLEET: usize = 1_000;

/// Measures what `options` name.
pub(crate) async fn all(options: &Options, figures: &mut Figures) -> Outcome {
    let binary = children::binary(options).await?;
    let bench = Bench { binary, options };
    if options.wants(Mode::Start) {
        start::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Admission) {
        admission::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Idle) {
        idle::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Storm) {
        storm::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Revoke) {
        revoke::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Jitr) {
        just_in_time::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Provision) {
        provision::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Bulk) {
        bulk::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Api) {
        api::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Messages) {
        messages::measure(&bench, figures).await?;
    }
    if options.wants(Mode::FanOut) {
        fan_out::measure(&bench, figures).await?;
    }
    if options.wants(Mode::FanIn) {
        fan_in::measure(&bench, figures).await?;
    }
    if options.wants(Mode::Offline) {
        offline::measure(&bench, figures).await?;
    }
    Ok(())
}

/// What every measurement needs.
pub(crate) struct Bench<'a> {
    binary: PathBuf,
    options: &'a Options,
}

/// Gatehouse and the bare server side by side, with a fleet that may connect to both.
struct Pair {
    gatehouse: Server,
    bare: Server,
    fleet: Arc<[Identity]>,
    data: Data,
}

impl Bench<'_> {
    async fn data(&self, registered: u64) -> Outcome<Data> {
        Data::prepare(&self.binary, self.options, registered, 0).await
    }

    async fn gatehouse(&self, data: &Data) -> Outcome<Server> {
        let server = Server::gatehouse(&self.binary, &data.path, &self.options.store).await?;
        process::quiet(server.pid).await?;
        Ok(server)
    }

    /// Gatehouse alone, with a fleet of `count` devices among `registered` certificates.
    async fn with_fleet(&self, registered: u64, count: usize) -> Outcome<(Server, Arc<[Identity]>, Data)> {
        self.on(self.data(registered).await?, count).await
    }

    /// Gatehouse on `data`, with a fleet of `count` devices.
    async fn on(&self, data: Data, count: usize) -> Outcome<(Server, Arc<[Identity]>, Data)> {
        let fleet = fleet::make(count, &data.path, self.options.key_exchange)?;
        data.register(&fleet).await?;
        Ok((self.gatehouse(&data).await?, fleet.into(), data))
    }

    /// Both servers.
    async fn pair(&self, registered: u64) -> Outcome<Pair> {
        self.pair_on(self.data(registered).await?).await
    }

    /// Both servers on `data`.
    async fn pair_on(&self, data: Data) -> Outcome<Pair> {
        let (gatehouse, fleet, data) = self.on(data, FLEET).await?;
        let bare = Server::bare(&data.path).await?;
        Ok(Pair { gatehouse, bare, fleet, data })
    }
}

impl Pair {
    async fn stop(self) -> Outcome {
        self.gatehouse.stop().await?;
        self.bare.stop().await?;
        drop(self.data);
        Ok(())
    }
}
