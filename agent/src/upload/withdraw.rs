//! Taking a sent bundle back. Its upload names the digest of a code that only the sender has; whoever
//! shows the code may have the bundle deleted.

use super::client::{Collector, json};
use super::{Destination, Record, UploadError};
use reqwest::Method;
use sitrep_shared::hash::sha256;
use sitrep_shared::ids::{Receipt, UploadCode};
use sitrep_shared::protocol::{RECEIPTS_PATH, Withdrawn};

/// A new code for one bundle.
pub fn code() -> Result<String, UploadError> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| UploadError::Protocol(error.to_string()))?;
    Ok(UploadCode::generate(&random).canonical())
}

/// What the collector is told of it.
pub(super) fn digest(code: &str) -> String {
    sha256(code.as_bytes()).to_string()
}

impl Record {
    /// Where the bundle can be taken back, with the code for it; none when it was sent without one.
    pub fn withdrawal(&self) -> Option<Result<Destination, UploadError>> {
        let code = UploadCode::parse(self.withdrawal_code.as_deref()?).ok()?;
        Some(Destination::new(&self.base_url, code))
    }
}

impl Collector {
    /// Has the bundle of a receipt deleted. The code is that of the destination.
    pub fn withdraw(&self, receipt: &Receipt) -> Result<Withdrawn, UploadError> {
        let base = self.destination.base_url();
        let url = format!("{base}{RECEIPTS_PATH}/{}", receipt.as_str());
        let doing = format!("cannot reach {}", self.destination.host());
        self.runtime.block_on(async {
            let request = self.request(Method::DELETE, &url)?;
            json(self.send_request(request, &doing).await?).await
        })
    }
}
