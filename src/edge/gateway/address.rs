//! Addresses of upstreams that are written as names. A name server's silence costs nothing while an older
//! answer is known.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Semaphore;

use super::limits;
use crate::kernel::domain::Endpoint;

/// Asks the system, remembers the answers.
#[derive(Debug)]
pub(super) struct Addresses {
    known: Mutex<BTreeMap<Endpoint, Known>>,
    room: Semaphore,
}

#[derive(Clone, Debug)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    /// When somebody last asked.
    asked: Instant,
}

impl Addresses {
    pub(super) fn new() -> Self {
        Self { known: Mutex::default(), room: Semaphore::new(limits::NAME_QUESTIONS) }
    }

    /// The addresses of an endpoint; never empty.
    pub(super) async fn of(self: &Arc<Self>, endpoint: &Endpoint) -> io::Result<Arc<[SocketAddr]>> {
        if let Some(ip) = endpoint.ip() {
            return Ok(Arc::new([SocketAddr::new(ip, endpoint.port)]));
        }
        match self.remembered(endpoint) {
            Some((addresses, false)) => Ok(addresses),
            Some((addresses, true)) => {
                let (this, endpoint) = (Arc::clone(self), endpoint.clone());
                // A failed question leaves the last answer in force.
                tokio::spawn(async move { this.ask(&endpoint).await.ok() });
                Ok(addresses)
            }
            None => self.ask(endpoint).await,
        }
    }

    /// What is known, and whether it is time to ask again; that is said to one caller only.
    fn remembered(&self, endpoint: &Endpoint) -> Option<(Arc<[SocketAddr]>, bool)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get_mut(endpoint)?;
        let old = entry.asked.elapsed() >= limits::NAME_TTL;
        if old {
            entry.asked = Instant::now();
        }
        Some((Arc::clone(&entry.addresses), old))
    }

    async fn ask(&self, endpoint: &Endpoint) -> io::Result<Arc<[SocketAddr]>> {
        let host = (endpoint.host.as_str(), endpoint.port);
        let question = async { Ok(tokio::net::lookup_host(host).await?.collect()) };
        self.ask_by(endpoint, question).await
    }

    /// The question is asked when there is room for it.
    async fn ask_by(
        &self,
        endpoint: &Endpoint,
        question: impl Future<Output = io::Result<Arc<[SocketAddr]>>>,
    ) -> io::Result<Arc<[SocketAddr]>> {
        let _room = self.room.acquire().await.map_err(io::Error::other)?;
        let addresses = question.await?;
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.remember(endpoint, &addresses);
        Ok(addresses)
    }

    /// A further name takes the place of the one that was asked for longest ago.
    fn remember(&self, endpoint: &Endpoint, addresses: &Arc<[SocketAddr]>) {
        let entry = Known { addresses: Arc::clone(addresses), asked: Instant::now() };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(endpoint.clone(), entry);
        if known.len() > limits::NAMES {
            let oldest = known.iter().min_by_key(|(_, known)| known.asked);
            let oldest = oldest.map(|(endpoint, _)| endpoint.clone());
            oldest.and_then(|oldest| known.remove(&oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn named(number: usize) -> Endpoint {
        Endpoint { host: format!("plane-{number}.test"), port: 80 }
    }

    fn somewhere() -> Arc<[SocketAddr]> {
        Arc::new([([192, 0, 2, 1], 80).into()])
    }

    #[test]
    fn so_many_names_are_remembered_and_one_more_takes_the_place_of_the_oldest() {
        let addresses = Addresses::new();
        let remember = |number: usize| addresses.remember(&named(number), &somewhere());
        let gone = || -> Vec<usize> {
            let lost = |number: &usize| addresses.remembered(&named(*number)).is_none();
            (0..limits::NAMES).filter(lost).collect()
        };
        (0..limits::NAMES).for_each(remember);
        // One that is known takes nobody's place.
        remember(0);
        assert_eq!(gone(), Vec::<usize>::new());
        remember(limits::NAMES);
        assert_eq!(gone(), [1]);
        assert!(addresses.remembered(&named(limits::NAMES)).is_some());
    }

    #[tokio::test]
    async fn so_many_questions_are_under_way_and_one_more_waits_for_an_answer() {
        let addresses = Arc::new(Addresses::new());
        let (asked, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let askers: Vec<_> = (0..=limits::NAME_QUESTIONS)
            .map(|number| {
                let (addresses, asked) = (Arc::clone(&addresses), Arc::clone(&asked));
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    let question = async {
                        asked.fetch_add(1, Ordering::Relaxed);
                        gate.acquire().await.expect("it is never closed").forget();
                        Ok(somewhere())
                    };
                    addresses.ask_by(&named(number), question).await
                })
            })
            .collect();
        // Each of them runs on the one thread of this test until it waits.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), limits::NAME_QUESTIONS);
        gate.add_permits(limits::NAME_QUESTIONS + 1);
        for asker in askers {
            let answered = tokio::time::timeout(Duration::from_secs(20), asker).await;
            let answered = answered.expect("in time").expect("it does not panic");
            assert_eq!(answered.expect("an answer"), somewhere());
        }
        assert_eq!(asked.load(Ordering::Relaxed), limits::NAME_QUESTIONS + 1);
    }
}
