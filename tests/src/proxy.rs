//! A loopback TCP proxy that cuts the connection after a number of bytes sent
//! by the client, so that an interrupted upload is a real one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// A proxy in front of one address; it lives until dropped.
pub struct Proxy {
    address: SocketAddr,
    /// Bytes the client may still send before the cut; negative: no cut.
    budget: Arc<AtomicI64>,
    cut: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts a proxy to `target` that lets `bytes` from the client pass and
    /// then resets every connection until [`Proxy::mend`].
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn cutting_after(target: SocketAddr, bytes: i64) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let proxy = Self {
            address: listener.local_addr()?,
            budget: Arc::new(AtomicI64::new(bytes)),
            cut: Arc::new(AtomicBool::new(false)),
            stop: Arc::new(AtomicBool::new(false)),
            passed: Arc::new(AtomicU64::new(0)),
        };
        let passed = proxy.passed.clone();
        let (budget, cut, stop) = (proxy.budget.clone(), proxy.cut.clone(), proxy.stop.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                if cut.load(Ordering::Relaxed) {
                    continue; // accepted and dropped: the client sees a reset
                }
                let Ok(server) = TcpStream::connect(target) else {
                    continue;
                };
                relay(client, server, &budget, (&cut, &passed));
            }
        });
        Ok(proxy)
    }

    /// The address clients use.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes of clients that went through so far.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Whether the cut has happened.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Lets everything pass from now on.
    pub fn mend(&self) {
        self.budget.store(i64::MAX, Ordering::Relaxed);
        self.cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accept loop, which then sees the flag.
        drop(TcpStream::connect(self.address));
    }
}

fn relay(
    client: TcpStream,
    server: TcpStream,
    budget: &Arc<AtomicI64>,
    (cut, passed): (&Arc<AtomicBool>, &Arc<AtomicU64>),
) {
    let (Ok(client_read), Ok(server_read)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let (budget, cut, passed) = (budget.clone(), cut.clone(), passed.clone());
    std::thread::spawn(move || {
        copy(client_read, server, |sent| {
            let left = budget.fetch_sub(i64::try_from(sent).unwrap_or(i64::MAX), Ordering::Relaxed);
            if left <= 0 {
                cut.store(true, Ordering::Relaxed);
            } else {
                passed.fetch_add(sent as u64, Ordering::Relaxed);
            }
            left > 0
        })
    });
    std::thread::spawn(move || copy(server_read, client, |_| true));
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut pass: impl FnMut(usize) -> bool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || !pass(read) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(from.shutdown(std::net::Shutdown::Both));
    drop(to.shutdown(std::net::Shutdown::Both));
}
