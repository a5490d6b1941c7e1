//! Replays on stable what the fuzzers begin with and what they have found: every file of `fuzz/seeds/<target>/` through that target's body.

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "public in the package of the fuzzers")]
mod targets;

use std::{fs, path::Path};

/// The folder of all seeds.
const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");

#[test]
fn every_seed_keeps_its_targets_promise() {
    for (target, body) in targets::TARGETS {
        let folder = Path::new(SEEDS).join(target);
        let mut files = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>();
        files.sort();
        assert!(!files.is_empty(), "no seeds for {target}");
        for file in files {
            // Shown where the body panics.
            println!("{}", file.display());
            body(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn seeds_are_what_the_generator_makes() {
    for seed in targets::seeds() {
        let file = Path::new(SEEDS).join(seed.target).join(&seed.name);
        let stored = fs::read(&file).unwrap_or_default();
        assert!(
            stored == seed.bytes,
            "{} is stale: cargo run --manifest-path fuzz/Cargo.toml --example seeds",
            file.display()
        );
    }
}
