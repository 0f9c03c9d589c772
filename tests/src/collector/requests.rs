//! Single requests to the collector's public API.

use super::Collector;
use serde_json::Value;

impl Collector {
    /// Any GET of the API as the administrator.
    ///
    /// # Errors
    /// With the collector's answer when it is not a success.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        self.send(self.client.get(self.at(path)).bearer_auth(&self.token))
    }

    /// Any POST of the API as the administrator.
    ///
    /// # Errors
    /// With the collector's answer when it is not a success.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send(
            self.client
                .post(self.at(path))
                .bearer_auth(&self.token)
                .json(body),
        )
    }

    /// Any PATCH of the API as the administrator.
    ///
    /// # Errors
    /// With the collector's answer when it is not a success.
    pub fn patch(&self, path: &str, body: &Value) -> Result<(), String> {
        let request = self.client.patch(self.at(path)).json(body);
        self.send(request.bearer_auth(&self.token)).map(drop)
    }

    /// A POST that is answered without content.
    ///
    /// # Errors
    /// With the collector's answer when it is not a success.
    pub fn answer_to(&self, path: &str, body: &Value) -> Result<(), String> {
        let request = self.client.post(self.at(path)).json(body);
        let answer = request.bearer_auth(&self.token).send();
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(format!("{path}: {}", answer.text().unwrap_or_default())),
        }
    }

    /// A POST of a text that is not JSON, as the administrator.
    ///
    /// # Errors
    /// With the collector's answer when it is not a success.
    pub fn post_text(&self, path: &str, text: &str) -> Result<Value, String> {
        let request = self.client.post(self.at(path)).bearer_auth(&self.token);
        self.send(
            request
                .header("content-type", "application/yaml")
                .body(text.to_owned()),
        )
    }

    /// A request with `token` (or none) whose refusal is what is looked at.
    ///
    /// # Errors
    /// When no answer comes at all.
    pub fn answer(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
    ) -> Result<(u16, Value), String> {
        let method =
            reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.client.request(method, self.at(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        Ok((status, response.json().unwrap_or(Value::Null)))
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// Some bytes of something, by a range request.
    ///
    /// # Errors
    /// When the answer is not that range.
    pub fn part(&self, path: &str, from: usize, bytes: usize) -> Result<Vec<u8>, String> {
        let range = format!("bytes={from}-{}", from + bytes - 1);
        let request = self.client.get(self.at(path)).bearer_auth(&self.token);
        let answer = request.header("Range", range).send();
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status() != 206 {
            return Err(format!("{path}: {}", answer.status()));
        }
        let body = answer.bytes().map_err(|error| error.to_string())?;
        Ok(body.to_vec())
    }

    /// The administrator's token for the API.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A page, or anything else that is read by its address.
    ///
    /// # Errors
    /// With the collector's answer when it refuses.
    pub fn page(&self, path: &str) -> Result<Vec<u8>, String> {
        self.bytes(path)
    }

    pub(super) fn bytes(&self, path: &str) -> Result<Vec<u8>, String> {
        let response = self
            .client
            .get(self.at(path))
            .bearer_auth(&self.token)
            .send()
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response.bytes().map_err(|error| error.to_string())?;
        if status.is_success() {
            Ok(body.to_vec())
        } else {
            let body = String::from_utf8_lossy(&body);
            Err(format!("{path}: {status}: {body}\n{}", self.last_words()))
        }
    }

    /// The end of the service's log, for who reads that a test failed.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.data_dir.join("service.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn send(&self, request: reqwest::blocking::RequestBuilder) -> Result<Value, String> {
        let response = request.send().map_err(|error| error.to_string())?;
        let (status, url) = (response.status(), response.url().clone());
        let body = response.text().map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{url}: {status}: {body}"));
        }
        serde_json::from_str(&body).map_err(|error| format!("{url}: {error}: {body}"))
    }
}
