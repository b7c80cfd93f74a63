//! Writes where the fuzzer begins: `seeds FOLDER` makes a folder for each target.

// Its counters are wanted by everything that is built for the fuzzer.
extern crate libfuzzer_sys as _;

#[path = "../targets/mod.rs"]
mod targets;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("a folder");
    for (target, _) in targets::TARGETS {
        let folder = std::path::Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder)?;
        for (i, seed) in targets::seeds(target).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i}")), seed)?;
        }
    }
    Ok(())
}
