//! A wrapper around ureq's connections, for two things that ureq (3.1 to 3.5) does not do.
//!
//! **Early answers.** While ureq waits for `100 Continue`, it takes a final answer into its buffer; to
//! read it, it then waits for more input first, if this is the connection's first request. If the
//! whole answer came at once, there is no more input: with a server that keeps the connection open,
//! the wait lasts until the timeout, and with one that ends TLS without a closing message, the
//! connection counts as broken. Seen with Ceph's gateway and with Swift. The wrapper offers that input
//! once more. It also notices when the wait runs out, as with a server that ignores `Expect`; ureq
//! does not report it.
//!
//! **Stalls.** One read or write may take no longer than a limit, however long the whole body takes.
//! ureq 3.1 has no such timeout.

use std::cell::Cell;
use std::time::Duration;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};
use ureq::{Error, Timeout};

thread_local! {
    /// ureq makes a request on the thread that asks for it, so this is about one request.
    static EXPECT_RAN_OUT: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether a wait for `100 Continue` ran out on this thread since the last call.
pub(super) fn take_expect_ran_out() -> bool {
    EXPECT_RAN_OUT.take()
}

/// The last connector of the chain: wraps the connection that the others made.
#[derive(Debug)]
pub(super) struct Wrap {
    pub(super) stall: Duration,
}

#[derive(Debug)]
pub(super) struct Connection<T> {
    inner: T,
    stall: Duration,
    /// Whether the last input came while ureq waited for `100 Continue`.
    came_early: bool,
}

impl<In: Transport> Connector<In> for Wrap {
    type Out = Connection<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let stall = self.stall;
        Ok(chained.map(|inner| Connection { inner, stall, came_early: false }))
    }
}

impl<T> Connection<T> {
    fn within_stall(&self, mut timeout: NextTimeout) -> NextTimeout {
        if self.stall < *timeout.after {
            timeout.after = time::Duration::Exact(self.stall);
        }
        timeout
    }
}

impl<T: Transport> Transport for Connection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, self.within_stall(timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let expects = timeout.reason == Timeout::Await100;
        if std::mem::take(&mut self.came_early) && !expects && !self.buffers().input().is_empty() {
            return Ok(true);
        }
        let made_progress = self.inner.await_input(self.within_stall(timeout));
        if expects && matches!(made_progress, Err(Error::Timeout(Timeout::Await100))) {
            EXPECT_RAN_OUT.set(true);
        }
        self.came_early = expects && made_progress.is_ok();
        made_progress
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
