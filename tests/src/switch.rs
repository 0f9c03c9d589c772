//! A loopback proxy in front of several replicas: every connection goes to another one, and breaks after a random
//! number of bytes. What clients see of a load balancer on a bad line.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Fewest bytes of a connection before it breaks.
const LEAST_BYTES: u64 = 64 << 10;
/// Further bytes, at random.
const MORE_BYTES: u64 = 6 << 20;
/// A connection that is silent for so long is given up.
const SILENCE: Duration = Duration::from_secs(20);

/// A running proxy.
pub struct Switch {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    broken: Arc<AtomicU64>,
}

impl Switch {
    /// Starts one in front of `targets`.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub fn start(targets: Vec<SocketAddr>, seed: u64) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let switch = Self {
            address: listener.local_addr()?,
            stop: Arc::default(),
            broken: Arc::default(),
        };
        let (stop, broken) = (Arc::clone(&switch.stop), Arc::clone(&switch.broken));
        std::thread::spawn(move || {
            let mut random = seed | 1;
            for (n, client) in listener.incoming().flatten().enumerate() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let target = targets[n % targets.len()];
                let budget = LEAST_BYTES + random % MORE_BYTES;
                let broken = Arc::clone(&broken);
                std::thread::spawn(move || relay(client, target, budget, &broken));
            }
        });
        Ok(switch)
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections broken so far.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accept loop, which then sees the flag.
        drop(TcpStream::connect(self.address));
    }
}

fn relay(client: TcpStream, target: SocketAddr, budget: u64, broken: &Arc<AtomicU64>) {
    let Ok(server) = TcpStream::connect(target) else {
        return;
    };
    for stream in [&client, &server] {
        drop(stream.set_read_timeout(Some(SILENCE)));
        drop(stream.set_nodelay(true));
    }
    let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    std::thread::spawn(move || copy(from_server, to_client, u64::MAX));
    if copy(client, server, budget) {
        broken.fetch_add(1, Ordering::Relaxed);
    }
}

/// Copies until one side ends or the budget is used up, which gives true.
fn copy(mut from: TcpStream, mut to: TcpStream, mut budget: u64) -> bool {
    let (mut buffer, mut over) = (vec![0; 16 << 10], false);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        over = budget < read as u64;
        budget = budget.saturating_sub(read as u64);
        if over || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
    over
}
