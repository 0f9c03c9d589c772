//! Does more than a handshake get through: packets of full size, and how fast.

use super::{Step, Tell};
use crate::upload::UploadError;
use crate::upload::client::Collector;
use crate::upload::tus;
use sitrep_shared::size::format_bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// More than four full packets in one request, less than servers take for a header.
const LARGE_BYTES: usize = 6_000;
/// Small packets have been answered before; large ones that are not by then never are.
const LARGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Below this a tunnel or a bad link is likely on the way.
const SMALL_MTU: u32 = 1_280;
/// The probe of the speed.
const SPEED_BYTES: u64 = 1_000_000;
/// It stops after this long.
const SPEED_TIMEOUT: Duration = Duration::from_secs(20);
/// Slower than this and 50 MB take ten minutes.
const SLOW_BYTES_S: u64 = 85_000;

impl Collector {
    /// One request that needs packets of full size. Where they are lost without a word, everything
    /// small works and every upload hangs.
    pub(super) fn large_packets(&self, mtu: Option<u32>, tell: &mut Tell<'_>) {
        const NAME: &str = "step_mtu";
        let url = format!("{}/api/v1/upload-code", self.destination.base_url());
        let request = self
            .http
            .get(&url)
            .header("x-sitrep-padding", "x".repeat(LARGE_BYTES))
            .timeout(LARGE_TIMEOUT);
        let answer = self
            .runtime
            .block_on(async { self.unless_interrupted(request.send()).await });
        let mtu_text = mtu.map_or_else(|| "?".to_owned(), |mtu| mtu.to_string());
        let values = vec![("mtu", mtu_text)];
        let step = match answer {
            Ok(Ok(_)) if mtu.is_some_and(|mtu| mtu < SMALL_MTU) => {
                Step::ok(NAME, "mtu_small", values).warn("fix_mtu")
            }
            Ok(Ok(_)) => Step::ok(NAME, "mtu_good", values),
            Ok(Err(_)) => Step::ok(NAME, "mtu_lost", values).fail("fix_mtu"),
            Err(_) => return,
        };
        tell(step);
    }

    /// Sends a megabyte into an upload that is given up at once; the code is not used up by it.
    pub fn measure_speed(&self) -> Option<Step> {
        const NAME: &str = "step_speed";
        let sent = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let moved = self.runtime.block_on(self.megabyte(Arc::clone(&sent)));
        let seconds = began.elapsed().as_secs_f64().max(0.001);
        let bytes = match &moved {
            Ok(bytes) => *bytes,
            Err(UploadError::Interrupted(_)) => return None,
            Err(error) => {
                let why = vec![("why", error.short())];
                return Some(Step::ok(NAME, "speed_unknown", why).warn("fix_speed_unknown"));
            }
        };
        let rate = (bytes as f64 / seconds) as u64;
        let values = vec![("rate", format_bytes(rate)), ("size", format_bytes(bytes))];
        let step = Step::ok(NAME, "speed_measured", values);
        Some(if rate < SLOW_BYTES_S {
            step.warn("fix_speed")
        } else {
            step
        })
    }

    async fn megabyte(&self, sent: Arc<AtomicU64>) -> Result<u64, UploadError> {
        // Random, so that nothing on the way can make it smaller.
        let mut bytes = vec![0u8; usize::try_from(SPEED_BYTES).unwrap_or(0)];
        getrandom::fill(&mut bytes).map_err(|error| UploadError::Protocol(error.to_string()))?;
        // One byte is never sent, so it can never become a bundle.
        let metadata = tus::metadata(&[("filename", "speed")]);
        let url = tus::create(self, Some(SPEED_BYTES + 1), &metadata).await?;
        let part = tus::Part {
            source: tus::Source::Memory(bytes),
            offset: 0,
            length: SPEED_BYTES,
            total: None,
            max_rate: None,
            sent: Arc::clone(&sent),
        };
        let outcome = tokio::time::timeout(SPEED_TIMEOUT, tus::append(self, &url, part)).await;
        let moved = match outcome {
            Ok(done) => done.map(|_| SPEED_BYTES),
            Err(_) => Ok(sent.load(Ordering::Relaxed)),
        };
        // When it stays, it lapses by itself.
        let _ = tus::terminate(self, &url).await;
        moved
    }
}
