//! A source that panics costs its item, not the run.

use super::cancel::Cancel;
use super::execute::Worker;
use super::host::Host;
use super::miss::Miss;
use super::source::{Ctx, Params, Source};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Whether this thread is inside of a source; [`quiet_panics`] looks at it.
    static COLLECTS: Cell<bool> = const { Cell::new(false) };
}

/// Has a source read what the worker has in its queue; what it leaves has failed.
pub(crate) fn collect(
    host: &Host,
    params: &Params,
    cancel: &Cancel,
    source: &dyn Source,
    worker: &mut Worker,
) {
    loop {
        let before = worker.queue.len();
        COLLECTS.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| {
            if cfg!(debug_assertions) && params.fault_panic_in.as_deref() == Some(source.id()) {
                #[expect(clippy::panic, reason = "a fault on request, in debug builds only")]
                {
                    panic!("fault on request");
                }
            }
            source.collect(&mut Ctx {
                host,
                params,
                cancel,
                worker,
            });
        }));
        COLLECTS.set(false);
        let rest = match result {
            Ok(()) => "its source did not read it".to_owned(),
            Err(panic) => {
                let reason = format!("its source panicked: {}", message(panic.as_ref()));
                if let Some(item) = worker.current.take() {
                    worker.skip(&item, Miss::failed(reason.clone()));
                }
                // One bad item does not cost the source's others.
                if worker.queue.len() < before && !worker.queue.is_empty() {
                    continue;
                }
                reason
            }
        };
        while let Some(item) = worker.queue.pop_front() {
            worker.skip(&item, Miss::failed(rest.clone()));
        }
        return;
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Panics of a source are reported as outcomes; the usual message would only break the display.
pub(crate) fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !COLLECTS.get() {
                usual(info);
            }
        }));
    });
}
