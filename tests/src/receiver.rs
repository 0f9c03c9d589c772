//! A host that takes HTTP requests, remembers them, and answers as the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request that came.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `POST /path`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter();
        let found = all.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// What is answered: a status, further header lines, and a body.
pub type Answer = (u16, String, String);
type Rule = Box<dyn Fn(&Request, usize) -> Answer + Send + Sync>;

/// A running receiver.
pub struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Starts one whose rule gets a request, and how many came before it.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn start(
        rule: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (kept, rule): (_, Arc<Rule>) = (Arc::clone(&seen), Arc::new(Box::new(rule)));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (kept, rule) = (Arc::clone(&kept), Arc::clone(&rule));
                std::thread::spawn(move || {
                    drop(client.set_read_timeout(Some(Duration::from_secs(30))));
                    drop(serve(&client, &kept, &**rule));
                });
            }
        });
        Ok(Self { address, seen })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What came so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(
    client: &TcpStream,
    seen: &Mutex<Vec<Request>>,
    rule: &dyn Fn(&Request, usize) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    loop {
        let mut request = Request::default();
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        request.line = words.join(" ");
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let header = (name.to_lowercase(), value.trim().to_owned());
            request.headers.push(header);
        }
        let length = request.header("content-length").parse().unwrap_or(0);
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
        let before = {
            let mut all = seen.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(request.clone());
            all.len() - 1
        };
        let (status, headers, body) = rule(&request, before);
        let mut out = client;
        write!(
            out,
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}
