//! The listener: own accept loop with time limits, TLS, and a shutdown in order.

pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::state::AppState;

/// Time for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the service cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error("cannot set TLS up")]
    Tls(#[from] tls::TlsError),
}

/// A bound listener.
pub struct Listener {
    tcp: TcpListener,
    acceptor: Option<TlsAcceptor>,
    /// The address in use, with the real port.
    pub address: SocketAddr,
}

/// Binds the configured address and loads the certificate.
pub async fn bind(state: &AppState) -> Result<Listener, ServeError> {
    let wanted = state.config.listen;
    let failed = |source| ServeError::Bind {
        address: wanted,
        source,
    };
    let acceptor = tls::acceptor(&state.config)?;
    let tcp = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = tcp.local_addr().map_err(failed)?;
    Ok(Listener {
        tcp,
        acceptor,
        address,
    })
}

/// Binds an address without TLS, for metrics and health.
pub async fn bind_plain(wanted: SocketAddr) -> Result<Listener, ServeError> {
    let failed = |source| ServeError::Bind {
        address: wanted,
        source,
    };
    let tcp = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = tcp.local_addr().map_err(failed)?;
    Ok(Listener {
        tcp,
        acceptor: None,
        address,
    })
}

/// Accepts until the tasks are drained. Connections are tasks of their own.
pub async fn accept(listener: Listener, state: AppState, router: Router) {
    let draining = state.tasks.draining();
    let slots = Arc::new(Semaphore::new(
        state.config.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    loop {
        let accepted = tokio::select! {
            () = draining.cancelled() => return,
            accepted = listener.tcp.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(pair) => pair,
            Err(error) => {
                // Out of descriptors, mostly: without a pause this loop would burn a core.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            state
                .metrics
                .add("sitrepd_connections_refused_total", "", 1.0);
            continue;
        };
        let (acceptor, router, stop) =
            (listener.acceptor.clone(), router.clone(), draining.clone());
        state.tasks.spawn("connection", async move {
            serve_stream(stream, peer, acceptor, router, stop).await;
            drop(slot);
        });
    }
}

async fn serve_stream(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
) {
    // Answers are small and written whole; waiting for more to send only adds delay.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return serve_io(stream, peer, router, stop).await;
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => serve_io(stream, peer, router, stop).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

async fn serve_io<I>(io: I, peer: SocketAddr, router: Router, stop: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    use tower::ServiceExt as _;
    let service = router.map_request(
        move |mut request: axum::http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.map(axum::body::Body::new)
        },
    );
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(64 * 1024)
        .max_headers(100);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_header_list_size(64 * 1024);
    let connection = builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error = %error, "connection ended early");
    }
}

/// Lets this process open as many files as the system allows: an upload under way is a connection and a file, and the
/// usual limit is far below what `limits.connections` promises.
pub fn open_files(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: most,
        maximum: most,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let wanted = 2 * connections as u64;
    if let Some(most) = most.filter(|most| *most < wanted) {
        tracing::warn!(
            most,
            wanted,
            "so many uploads at once need more open files: raise the limit (LimitNOFILE of systemd, ulimit -Hn)"
        );
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
