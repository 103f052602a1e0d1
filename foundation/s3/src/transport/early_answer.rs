//! An answer that came before the body was asked for is read without waiting for more.
//!
//! While ureq (3.5) waits for `100 Continue`, it takes a final answer into its buffer; to read it, it
//! then waits for more input first, if this is the connection's first request. When all of the
//! answer came at once, there is no more: a server that keeps the connection open would be waited
//! for until the timeout, and one that ends TLS without saying so would be a broken connection. Seen
//! with Ceph's gateway and with Swift.
//!
//! The same wait is seen to run out here: by a server that ignores `Expect`, which ureq says to nobody.

use std::cell::Cell;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Timeout};

thread_local! {
    /// ureq makes a request on the thread that asks for it, so this is of one request.
    static EXPECT_RAN_OUT: Cell<bool> = const { Cell::new(false) };
}

/// Whether a wait for `100 Continue` ran out on this thread since the last call.
pub(super) fn take_expect_ran_out() -> bool {
    EXPECT_RAN_OUT.take()
}

/// The end of a chain of connectors.
#[derive(Debug)]
pub(super) struct EarlyAnswer;

/// A connection that offers once more what came while it waited for `100 Continue`.
#[derive(Debug)]
pub(super) struct Connection<T> {
    inner: T,
    /// Whether the last input came in that wait.
    came_early: bool,
}

impl<In: Transport> Connector<In> for EarlyAnswer {
    type Out = Connection<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Connection { inner, came_early: false }))
    }
}

impl<T: Transport> Transport for Connection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let asks = timeout.reason == Timeout::Await100;
        if std::mem::take(&mut self.came_early) && !asks && !self.buffers().input().is_empty() {
            return Ok(true);
        }
        let made_progress = self.inner.await_input(timeout);
        if asks && matches!(made_progress, Err(Error::Timeout(Timeout::Await100))) {
            EXPECT_RAN_OUT.set(true);
        }
        self.came_early = asks && made_progress.is_ok();
        made_progress
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
