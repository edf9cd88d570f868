//! The API on a loopback port.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Api, router};

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program has the port.
    #[error("port {port} on 127.0.0.1 is taken: choose another, or 0 for any that is free")]
    Taken {
        /// The port that was asked for.
        port: u16,
    },
    /// The system refused for another reason.
    #[error("listen on 127.0.0.1:{port}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A served API. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more and ends every connection.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // A panic of a connection is that connection's.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// Serves on 127.0.0.1; port 0 takes any that is free.
pub async fn serve(api: Api, port: u16) -> Result<Served, ServeError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::Taken { port },
        _ => ServeError::Listen { port, source },
    })?;
    let address = listener.local_addr().map_err(|source| ServeError::Listen { port, source })?;
    let stop = CancellationToken::new();
    let ended = stop.clone();
    let task = tokio::spawn(async move {
        let serving = axum::serve(listener, router(api));
        tokio::select! {
            // Accepting does not fail: axum waits out what the system refuses.
            _ = serving.into_future() => {}
            () = ended.cancelled() => {}
        }
    });
    Ok(Served { address, stop, task })
}
