//! Any tus 1.0 client with an upload code.

use super::Collector;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Collector {
    /// Uploads bytes by tus 1.0, as any client with an upload code could.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn upload_as_tus_client(&self, code: &str, name: &str, bytes: &[u8]) -> Result<(), String> {
        let metadata = format!("filename {}", BASE64.encode(name));
        self.upload_with(code, &metadata, bytes)
    }

    /// Uploads bytes, with an `Upload-Metadata` of the caller's.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn upload_with(&self, code: &str, metadata: &str, bytes: &[u8]) -> Result<(), String> {
        let made = self
            .client
            .post(self.at("/api/v1/uploads"))
            .bearer_auth(code)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Length", bytes.len())
            .header("Upload-Metadata", metadata)
            .send()
            .map_err(|error| error.to_string())?;
        let place = made
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let Some(place) = place else {
            return Err(format!("no upload was made: {}", made.status()));
        };
        let url = if place.starts_with('/') {
            self.at(&place)
        } else {
            place
        };
        let sent = self
            .client
            .patch(url)
            .bearer_auth(code)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Offset", 0)
            .header("Content-Type", "application/offset+octet-stream")
            .body(bytes.to_vec())
            .send()
            .map_err(|error| error.to_string())?;
        if sent.status().is_success() {
            Ok(())
        } else {
            Err(format!("the upload was refused: {}", sent.status()))
        }
    }
}
