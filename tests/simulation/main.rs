//! Core's rooms and sessions and protocol's clients over a seeded network, in virtual time: no sockets, no clock. Every
//! seed is a world of its own; a failing one is printed, and replays exactly.

mod acts;
mod checks;
mod client;
mod net;
mod report;
mod rests;
mod sabotage;
mod scenarios;
mod server;
mod world;

use std::collections::BTreeMap;
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

/// Runs a seed's world to its end.
fn run(seed: u64, saboteur: Saboteur) -> (World, Vec<String>) {
    let mut world = World::new(seed, Scenario::of(seed), saboteur);
    world.run();
    let findings = world.check();
    (world, findings)
}

#[test]
fn every_view_converges_and_rests_are_seen_in_time() {
    let first = number("HITHER_SIM_SEED", SEED);
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in first..first + number("HITHER_SIM_SEEDS", SEEDS) {
        let (world, findings) = run(seed, Saboteur::default());
        let scenario = &world.scenario;
        if !findings.is_empty() {
            failed.push(seed);
            println!("seed {seed} ({}), replay by HITHER_SIM_SEEDS=1 HITHER_SIM_SEED={seed}:", scenario.name);
            findings.iter().take(10).for_each(|finding| println!("  {finding:.400}"));
        }
        let title = format!("{} at {:.0} % loss", scenario.name, scenario.up.loss * 100.0);
        let title = if scenario.promise { title } else { scenario.name.to_owned() };
        let mut world_figures = world.figures.clone();
        world_figures.worlds = 1;
        world_figures.rests = world.rests.times.clone();
        figures.entry(title).or_default().add(world_figures);
    }
    for (title, figures) in &mut figures {
        println!("{}", figures.line(title));
    }
    assert!(failed.is_empty(), "failed seeds: {failed:?}");
}
