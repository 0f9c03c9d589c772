//! Ctrl-C and SIGTERM: the first asks the run to stop, the second ends it without cleaning up.

use crate::error::Exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Which signal came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The ending it leads to.
    pub fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
        }
    }
}

/// A flag that the signals set; cheap to clone and to ask.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    first: Arc<AtomicU8>,
    stop: Arc<AtomicBool>,
}

impl Interrupt {
    /// One that only [`Interrupt::raise`] sets.
    pub fn manual() -> Self {
        Self::default()
    }

    /// One that the process's signals set. Without a signal thread (out of threads) Ctrl-C keeps its
    /// default effect, which also sends nothing.
    pub fn install() -> Self {
        let interrupt = Self::default();
        let seen = interrupt.clone();
        let _ = std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || listen(&seen));
        interrupt
    }

    /// The signal that came, if any.
    pub fn signal(&self) -> Option<Signal> {
        match self.first.load(Ordering::Relaxed) {
            1 => Some(Signal::Interrupt),
            2 => Some(Signal::Terminate),
            _ => None,
        }
    }

    /// The flag that long work watches: true after the first signal.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Notes a signal; true when it is the first.
    pub fn raise(&self, signal: Signal) -> bool {
        let number = if signal == Signal::Interrupt { 1 } else { 2 };
        let first = self
            .first
            .compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        self.stop.store(true, Ordering::Relaxed);
        first
    }
}

fn listen(interrupt: &Interrupt) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
    else {
        return;
    };
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut int), Ok(mut term)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        loop {
            let came = tokio::select! {
                _ = int.recv() => Signal::Interrupt,
                _ = term.recv() => Signal::Terminate,
            };
            if !interrupt.raise(came) {
                // The second one: the person has waited long enough for a clean end.
                std::process::exit(i32::from(came.exit().code()));
            }
        }
    });
}
