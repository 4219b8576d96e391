//! Core's rooms and sessions and protocol's clients over a seeded network, in virtual time: no sockets, no clock. Every
//! seed is a world of its own; a failing one is printed, and replays exactly.

#![expect(clippy::expect_used, reason = "a world that breaks its own rules is a failed test")]

mod acts;
mod checks;
mod client;
mod report;
mod rests;
mod sabotage;
mod scenarios;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use report::Figures;
use rests::PROMISE;
use sabotage::{Fault, Saboteur};
use scenarios::Scenario;
use world::World;

/// How many seeds are run, if `HITHER_SIM_SEEDS` does not say.
const SEEDS: u64 = 1_000;
/// The first of them, if `HITHER_SIM_SEED` does not say.
const SEED: u64 = 1;

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}"))
}

/// Of so many rests one may be late: more than the default seeds have.
const LATE_ONE_IN: usize = 20_000;

fn print_findings(seed: u64, scenario: &Scenario, findings: &[String]) {
    println!(
        "seed {seed} ({}), replay by HITHER_SIM_SEEDS=1 HITHER_SIM_SEED={seed} \
         cargo test -p hither-tests --test simulation every_view -- --nocapture:",
        scenario.name
    );
    findings.iter().take(10).for_each(|finding| println!("  {finding:.400}"));
}

/// Runs a seed's world to its end.
fn run(seed: u64, saboteur: Saboteur) -> (World, Vec<String>) {
    let mut world = World::new(seed, Scenario::of(seed), saboteur);
    world.run();
    let findings = world.check();
    (world, findings)
}

#[test]
fn every_view_converges_and_rests_are_seen_in_time() {
    let (first, count) = (number("HITHER_SIM_SEED", SEED), number("HITHER_SIM_SEEDS", SEEDS));
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut late = Vec::new();
    for seed in first..first + count {
        let (world, findings) = run(seed, Saboteur::default());
        if !findings.is_empty() {
            failed.push(seed);
            print_findings(seed, &world.scenario, &findings);
        }
        let times = world.rests.times.iter().filter(|_| world.scenario.promise);
        late.extend(times.filter(|time| **time > PROMISE).map(|time| (seed, *time)));
        figures.entry(world.scenario.title()).or_default().add(&world);
    }
    let mut promised = 0;
    for (title, figures) in &mut figures {
        promised += if figures.promise { figures.rests.len() } else { 0 };
        println!("{}", figures.line(title));
    }
    late.iter().for_each(|(seed, time)| println!("seed {seed}: a rest was seen after {time:?}"));
    assert!(failed.is_empty(), "failed seeds: {failed:?}");
    // Chance can lose every repeat; so many seeds as run by default have no rest that is late.
    assert!(late.len() <= promised / LATE_ONE_IN, "{} of {promised} rests are late", late.len());
}

/// 30 ticks a second, 30 % loss each way: nothing that chance may take away, in so many worlds.
#[test]
fn at_30_hz_and_30_percent_loss_every_rest_is_seen_within_300_ms() {
    let (first, count) = (number("HITHER_SIM_SEED", SEED), number("HITHER_SIM_SEEDS", SEEDS));
    let mut figures = Figures::default();
    let mut late = Vec::new();
    for seed in first..first + count {
        let mut world = World::new(seed, Scenario::promised(seed), Saboteur::default());
        world.run();
        let findings = world.check();
        assert!(findings.is_empty(), "seed {seed}: {findings:?}");
        late.extend(
            world.rests.times.iter().filter(|time| **time > PROMISE).map(|time| (seed, *time)),
        );
        figures.add(&world);
    }
    println!("{}", figures.line("at 30 Hz and 30 % loss"));
    assert!(late.is_empty(), "seeds and times: {late:?}");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 1..=20 {
        let (first, second) = (run(seed, Saboteur::default()).0, run(seed, Saboteur::default()).0);
        assert_eq!(first.trace(), second.trace(), "seed {seed}");
        assert_eq!(first.rests.times, second.rests.times, "seed {seed}");
    }
    let traces: BTreeSet<u64> =
        (1..=20).map(|seed| run(seed, Saboteur::default()).0.trace()).collect();
    assert_eq!(traces.len(), 20, "each seed is a world of its own");
}

/// What the checks say of the first worlds with a fault.
fn findings_of(fault: Fault) -> String {
    let of_seed = |seed| {
        let (world, findings) = run(seed, Saboteur::new(fault));
        let late = world.rests.times.iter().filter(|time| **time > PROMISE);
        let late = late.filter(|_| world.scenario.promise).map(|time| format!("late: {time:?}"));
        findings.into_iter().chain(late.collect::<Vec<_>>())
    };
    (1..=20).flat_map(of_seed).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_checks_notice_repeats_that_are_swallowed() {
    let findings = findings_of(Fault::RepeatsSwallowed);
    assert!(findings.contains("late: ") && findings.contains(" at Some("), "{findings}");
    assert!(!findings.contains("document") && !findings.contains("members"), "{findings}");
}

#[test]
fn the_checks_notice_acks_of_what_was_not_decoded() {
    let findings = findings_of(Fault::AcksForged);
    assert!(findings.contains("late: ") && findings.contains(" at Some("), "{findings}");
    assert!(!findings.contains("document") && !findings.contains("members"), "{findings}");
}

#[test]
fn the_checks_notice_a_lost_message_of_a_control_lane() {
    let findings = findings_of(Fault::ControlLost);
    assert!(findings.contains("members [") && findings.contains("events ["), "{findings}");
}

#[test]
fn the_checks_notice_a_lost_message_of_an_edits_lane() {
    let findings = findings_of(Fault::EditsLost);
    assert!(findings.contains("document") && findings.contains("acked edits"), "{findings}");
}
