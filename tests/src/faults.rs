//! A loopback proxy in front of an HTTP server that can answer 500 itself, or let everything wait.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// What the proxy does to new connections, and to bytes on those it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Lets everything pass.
    Pass = 0,
    /// Answers every request with 500.
    Fail = 1,
    /// Lets everything pass, late.
    Slow = 2,
    /// Takes everything and answers nothing.
    Silent = 3,
}

/// A running proxy.
pub struct Faults {
    address: SocketAddr,
    mode: Arc<AtomicU8>,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

impl Faults {
    /// Starts one in front of a loopback port.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn start(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let faults = Self {
            address: listener.local_addr()?,
            mode: Arc::default(),
            stop: Arc::default(),
            failed: Arc::default(),
        };
        let (mode, stop) = (Arc::clone(&faults.mode), Arc::clone(&faults.stop));
        let failed = Arc::clone(&faults.failed);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (mode, failed) = (Arc::clone(&mode), Arc::clone(&failed));
                std::thread::spawn(move || serve(client, port, &mode, &failed));
            }
        });
        Ok(faults)
    }

    /// The port that clients use.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes what it does.
    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// Requests that were answered 500.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accept loop, which then sees the flag.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(client: TcpStream, port: u16, mode: &Arc<AtomicU8>, failed: &Arc<AtomicU64>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
        return;
    };
    for stream in [&client, &server] {
        drop(stream.set_nodelay(true));
        drop(stream.set_read_timeout(Some(Duration::from_secs(120))));
    }
    let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    let back = Arc::clone(mode);
    std::thread::spawn(move || copy(from_server, to_client, &back, None));
    copy(client, server, mode, Some(failed));
}

/// Copies until one side ends. In the way of requests, failing is answered here.
fn copy(
    mut from: TcpStream,
    mut to: TcpStream,
    mode: &AtomicU8,
    requests: Option<&Arc<AtomicU64>>,
) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        match (mode.load(Ordering::SeqCst), requests) {
            (1, Some(failed)) => {
                failed.fetch_add(1, Ordering::Relaxed);
                let answer = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                drop(from.write_all(answer.as_bytes()));
                break;
            }
            (2, _) => std::thread::park_timeout(Duration::from_millis(25)),
            (3, _) => continue,
            _ => {}
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
