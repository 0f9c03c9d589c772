//! The registry of sources: one file each, one line here.

mod agent;
mod blockdevs;
mod blocks;
mod changes;
mod configs;
mod containers;
mod crashes;
mod custom;
mod hardware;
mod host;
mod iproute;
mod journald;
mod kernel;
mod kernellog;
mod listing;
mod logfiles;
mod logins;
mod memory;
mod mounted;
mod network;
mod openfiles;
mod packages;
mod probes;
mod process;
mod proctable;
mod security;
mod sockets;
mod storage;
mod systemd;
mod tlsprobe;
mod unitfiles;

use crate::collect::Source;

/// The part of a source that is the same everywhere: names, and a plan made by the file's `plan` function.
macro_rules! declare {
    ($type:ident, $id:literal, $title:literal, $why:literal, [$($tag:literal),*]) => {
        /// See the file's head.
        pub struct $type;

        impl Source for $type {
            fn id(&self) -> &'static str {
                $id
            }

            fn title(&self) -> &'static str {
                $title
            }

            fn why(&self) -> &'static str {
                $why
            }

            fn tags(&self) -> &'static [&'static str] {
                &[$($tag),*]
            }

            fn plan(&self, host: &collect::Host, params: &Params) -> Vec<PlannedItem> {
                let mut planner = Planner::new($id, $why, host, params);
                plan(&mut planner);
                planner.finish()
            }
        }
    };
}
pub(crate) use declare;

/// Every source, in the order in which they are collected within a tier.
pub fn registry() -> &'static [&'static dyn Source] {
    &[
        &agent::Agent,
        &changes::Changes,
        &host::Host,
        &kernel::Kernel,
        &memory::Memory,
        &process::Processes,
        &storage::Storage,
        &network::Network,
        &systemd::Systemd,
        &packages::Packages,
        &security::Security,
        &hardware::Hardware,
        &containers::Containers,
        &configs::Configs,
        &crashes::Crashes,
        &custom::Custom,
        &journald::Journald,
        &logfiles::Logfiles,
    ]
}

#[cfg(test)]
mod tests;
