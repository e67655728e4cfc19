//! The tidy test: reads the sources and keeps the law of `docs/architecture.md`.

mod bounds;
mod bounds_no_size;
mod bounds_tested;
mod floors;
mod promises;
mod source;
mod tree;

use std::path::{Path, PathBuf};

use source::Source;

/// The crate's directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `dir`, as paths relative to the crate's directory.
fn rust_files(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn sources(dir: &str) -> Vec<Source> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        Source::new(path.to_str().expect("our paths are ASCII"), &text)
    };
    rust_files(dir).iter().map(read).collect()
}

/// Fails with all faults at once.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_module_imports_from_lower_floors_only() {
    let sources = sources("src");
    assert!(sources.len() > 50, "the sources were not found");
    none(sources.iter().flat_map(floors::faults).collect());
}

#[test]
fn there_is_no_clock_randomness_async_io_float_or_hash_order_below_the_glass() {
    let below = sources("src/kernel");
    assert!(below.len() > 20, "the kernel was not found");
    none(below.iter().flat_map(Source::glass_faults).collect());
}

#[test]
fn files_are_short_say_what_they_are_and_leave_nothing_open() {
    let all = sources("src").into_iter().chain(sources("tests"));
    none(all.flat_map(|source| source.shape_faults()).collect());
}

#[test]
fn the_top_level_holds_what_it_should_and_nothing_else() {
    let entries = std::fs::read_dir(root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    none(tree::top_level_faults(names));
}

#[test]
fn promises_name_only_proofs_that_exist() {
    let text = std::fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let tests: Vec<String> =
        sources("src").iter().chain(&sources("tests")).flat_map(|s| s.test_names()).collect();
    assert!(tests.len() > 100, "the tests were not found");
    let exists = |path: &str| root().join(path).exists();
    none(promises::faults(&text, &tests, exists));
}

#[test]
fn every_bound_stands_in_the_page_with_the_test_that_reaches_it() {
    let found: Vec<_> = sources("src").iter().flat_map(bounds::bounds).collect();
    assert!(found.len() > 200, "the bounds were not found");
    let tests: Vec<String> =
        sources("src").iter().chain(&sources("tests")).flat_map(|s| s.test_names()).collect();
    none(bounds::faults(&found, &tests));
    let path = root().join("docs/reference/bounds.md");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, bounds::page(&found)).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == bounds::page(&found),
        "run the tests with REWRITE=1 and look at the difference"
    );
}
