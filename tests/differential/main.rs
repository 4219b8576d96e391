//! Rust and TypeScript at the two ends of one wire: what either says, the other understands, and what is malformed both
//! refuse. The TypeScript end is a child process of Node; both ends run on virtual time and seeds, which are printed.

#![expect(clippy::expect_used, reason = "a world that breaks its own rules is a failed test")]

mod acts;
mod book;
mod checks;
mod figures;
mod frames;
mod messages;
mod news;
mod node;
mod odd;
mod other;
mod plain;
mod plan;
mod random;
mod sent;
mod step;
mod tree;
mod twin;
mod world;

use std::env;

use figures::Figures;
use node::Node;
use plan::Noise;
use world::World;

/// The first seed, if `HITHER_DIFFERENTIAL_SEED` does not say.
const SEED: u64 = 1;
/// How many seeds are run, if `HITHER_DIFFERENTIAL_SEEDS` does not say.
const SEEDS: u64 = 60;
/// How many spoiled messages of each lane are judged.
const MESSAGES: usize = 20_000;
/// How often the golden sequences of frames are played and spoiled.
const ROUNDS: u64 = 80;

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}"))
}

fn report(findings: &[String]) {
    findings.iter().take(20).for_each(|finding| println!("{finding}"));
    assert!(findings.is_empty(), "{} findings", findings.len());
}

#[test]
fn f6_spoiled_messages_are_read_alike_or_refused_alike() {
    let seed = number("HITHER_DIFFERENTIAL_SEED", SEED);
    println!("seed {seed}");
    report(&messages::judge_all(&mut Node::start("messages"), seed, MESSAGES));
}

#[test]
fn m1_of_spoiled_datagrams_the_same_is_used() {
    let seed = number("HITHER_DIFFERENTIAL_SEED", SEED);
    println!("seed {seed}");
    report(&frames::play_all(&mut Node::start("frames"), seed, ROUNDS));
}

#[test]
fn both_ends_send_tell_and_know_the_same() {
    let first = number("HITHER_DIFFERENTIAL_SEED", SEED);
    let count = number("HITHER_DIFFERENTIAL_SEEDS", SEEDS);
    let mut node = Node::start("worlds");
    let mut figures = Figures::default();
    let mut findings = Vec::new();
    for seed in first..first + count {
        let mut world = World::new(seed, &mut node, &mut figures);
        let found = match world.run() {
            Ok(()) => world.check(),
            Err(found) => vec![found],
        };
        findings.extend(found.into_iter().map(|found| {
            let variables = format!("HITHER_DIFFERENTIAL_SEED={seed} HITHER_DIFFERENTIAL_SEEDS=1");
            format!("seed {seed}, replay with {variables}: {found}")
        }));
    }
    println!("{count} seeds from {first}: {figures}");
    if count >= SEEDS {
        findings.extend(figures.missing());
    }
    report(&findings);
}

#[test]
fn the_comparison_notices_one_other_bit() {
    let mut node = Node::start("lies");
    let mut figures = Figures::default();
    for seed in 1..=10 {
        let mut world = World::new(seed, &mut node, &mut figures);
        if world.plan.noise == Noise::Streams {
            // Where Rust hears other bytes, too, the ends may part for good reasons.
            continue;
        }
        world.plan.lies = true;
        let found = world.run().expect_err("TypeScript got other bytes");
        assert!(found.contains("TypeScript"), "{found}");
    }
}
