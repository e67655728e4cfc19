//! The top level of the tree.

/// What may stand there; dotfiles and build output come on top.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "src",
    "config",
    "tests",
    "simulations",
    "docs",
];

/// Entries that should not be there, and those that are missing.
pub(crate) fn top_level_faults(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: Vec<String> = names.collect();
    let known = |name: &str| TOP_LEVEL.contains(&name) || name.starts_with('.') || name == "target";
    let strange = names.iter().filter(|name| !known(name));
    let missing = TOP_LEVEL.iter().filter(|name| !names.iter().any(|found| found == *name));
    strange
        .map(|name| format!("{name} does not belong on the top level"))
        .chain(missing.map(|name| format!("{name} is missing on the top level")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_and_missing_entries_are_found() {
        let all = || TOP_LEVEL.iter().map(|name| (*name).to_owned());
        let dots = [".git".to_owned(), "target".to_owned()];
        assert_eq!(top_level_faults(all().chain(dots)), Vec::<String>::new());
        let strange = top_level_faults(all().chain(["scripts".to_owned()]));
        assert!(strange[0].contains("scripts"), "{strange:?}");
        assert!(top_level_faults(all().skip(1))[0].contains("Cargo.toml"));
    }
}
