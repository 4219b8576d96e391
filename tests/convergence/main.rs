//! One room and its editors in virtual time, through all that may come between: disconnects, a store that is slow or
//! takes nothing, a server that is killed, rules and conditions that reject. In the end there is one truth: the log.
//! All records are those that it makes, each edit is in it once or was rejected, and its order is that in which people
//! saw things happen.

#![expect(clippy::expect_used, reason = "a world that breaks its own rules is a failed test")]

mod checks;
mod editor;
mod host;
mod world;

use std::env;

use world::{Fault, World};

/// How many seeds are run, if `HITHER_SIM_SEEDS` does not say.
const SEEDS: u64 = 1_000;
/// The first of them, if `HITHER_SIM_SEED` does not say.
const SEED: u64 = 1;

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}"))
}

fn run(seed: u64, fault: Option<Fault>) -> (World, Vec<String>) {
    let mut world = World::new(seed, fault);
    world.run();
    let findings = checks::check(&world);
    (world, findings)
}

// proves D2, D3, D4, D5, D6, D7
#[test]
fn every_editor_ends_with_what_the_log_makes() {
    let (first, count) = (number("HITHER_SIM_SEED", SEED), number("HITHER_SIM_SEEDS", SEEDS));
    let mut totals = checks::Totals::default();
    let mut failed = Vec::new();
    for seed in first..first + count {
        let (world, findings) = run(seed, None);
        if !findings.is_empty() {
            println!(
                "seed {seed}, replay by HITHER_SIM_SEEDS=1 HITHER_SIM_SEED={seed} \
                 cargo test -p hither-tests --test convergence every_editor -- --nocapture:"
            );
            findings.iter().take(10).for_each(|finding| println!("  {finding:.400}"));
            failed.push(seed);
        }
        totals.add(&world);
    }
    println!("{totals:?}");
    assert!(failed.is_empty(), "failed seeds: {failed:?}");
    // What never happens proves nothing.
    if count >= SEEDS {
        assert!(totals.all_happened(), "{totals:?}");
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 1..=20 {
        let log = |world: World| world.host.log;
        assert_eq!(log(run(seed, None).0), log(run(seed, None).0), "seed {seed}");
    }
}

/// Each fault has to be found, or the checks are worth nothing.
#[test]
fn faults_are_found() {
    for fault in Fault::ALL {
        let found = (1..=200).any(|seed| !run(seed, Some(fault)).1.is_empty());
        assert!(found, "{fault:?} was not found in 200 worlds");
    }
}
