//! What the durable store promises, against disks that fail: nothing that was acked is lost, doubled or changed,
//! whatever ends the process or the machine, and what can't be kept is said.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails the test")]

mod backup;
mod crash;
mod disk;
mod events;
mod faults;
mod flips;
mod plan;
