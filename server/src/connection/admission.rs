//! Who may come in now: a bound on all connections without a hello, one on those of an address, and one on how many
//! sessions begin in a second.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hither_core::Bucket;
use hither_protocol::Timestamp;

use crate::config::LimitsConfig;

/// The connections that have not said hello.
#[derive(Debug)]
pub(crate) struct Admission {
    max: usize,
    per_address_max: usize,
    counts: Mutex<Counts>,
    hellos: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one connection among them, given back when dropped.
#[derive(Debug)]
pub(crate) struct Pending {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(crate) fn new(limits: &LimitsConfig) -> Arc<Self> {
        Arc::new(Self {
            max: limits.pending_hellos_max,
            per_address_max: limits.pending_hellos_per_address_max,
            counts: Mutex::default(),
            hellos: Mutex::new(Bucket::new(limits.hellos_per_s)),
        })
    }

    /// Whether so many places are taken that addresses have to be proven.
    pub(crate) fn is_busy(&self) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all >= self.max / 4
    }

    /// Whether another session may begin now.
    ///
    /// # Errors
    /// How long until there is room for one, if all who were refused came back at once.
    pub(crate) fn take_hello(&self, now: Timestamp) -> Result<(), Duration> {
        self.hellos.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }

    /// A place for a connection from `address`; `None` if there is none. Loopback shares only the bound on all.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Pending> {
        let address = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        let too_many = of_address >= self.per_address_max && !address.is_loopback();
        if counts.all >= self.max || too_many {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, of_address + 1);
        Some(Pending { admission: self.clone(), address })
    }
}

/// What counts as one address: of IPv6 the half that a network is given, as one machine has all of the other.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 64).into()
        }
        address => address,
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max: usize, per_address: usize) -> Arc<Admission> {
        Admission::new(&LimitsConfig {
            pending_hellos_max: max,
            pending_hellos_per_address_max: per_address,
            ..LimitsConfig::default()
        })
    }

    #[test]
    fn h6_pending_connections_are_bounded_in_all_and_by_address() {
        let admission = admission(3, 2);
        let [a, b] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let first = admission.admit(a).unwrap();
        let _second = admission.admit(a).unwrap();
        assert!(admission.admit(a).is_none(), "the address has two");
        let _third = admission.admit(b).unwrap();
        assert!(admission.admit(b).is_none(), "there are three");
        drop(first);
        let _again = admission.admit(a).unwrap();
    }

    #[test]
    fn h6_a_network_of_ipv6_is_one_address() {
        let admission = admission(8, 1);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let _first = admission.admit(address("2001:db8:0:1::1")).unwrap();
        assert!(admission.admit(address("2001:db8:0:1::2")).is_none());
        assert!(!admission.is_busy());
        let _second = admission.admit(address("2001:db8:0:2::1")).unwrap();
        assert!(admission.is_busy(), "a quarter is taken");
    }

    #[test]
    fn h6_loopback_has_no_bound_of_its_own() {
        let admission = admission(3, 1);
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let _all = [(); 3].map(|()| admission.admit(loopback).unwrap());
        assert!(admission.admit(loopback).is_none());
    }
}
