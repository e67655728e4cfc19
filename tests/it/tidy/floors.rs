//! The floors: who may import what.

use super::source::Source;

/// The floors from the bottom. Neighbours on one floor are strangers.
const FLOORS: &[&[&str]] = &[
    // Planted faults, off in every build that is shipped: whoever carries one asks whether it is on.
    &["kernel::mutants"],
    &["kernel::domain"],
    &["kernel::health", "kernel::lease", "kernel::zone", "kernel::consensus"],
    &["kernel::policy", "kernel::switchover"],
    &["kernel::ledger"],
    &["kernel::controller"],
    &[
        "edge::actuate",
        "edge::agent",
        "edge::api",
        "edge::audit",
        "edge::console",
        "edge::dns",
        "edge::gateway",
        "edge::identity",
        "edge::journal",
        "edge::notify",
        "edge::probe",
        "edge::storage",
        "edge::telemetry",
        "edge::transport",
    ],
    &["config"],
    &["runtime", "sim"],
    &["twin"],
    &["cli"],
];

/// Imports that cross a floor on purpose, each with its reason: (from, to).
const ALLOWED: &[(&str, &str)] = &[];

/// The room of a module path such as `kernel::policy::guard`, and its floor.
fn room(module: &str) -> Option<(usize, &'static str)> {
    FLOORS.iter().enumerate().find_map(|(floor, rooms)| {
        let is_in = |room: &&&str| {
            module == **room
                || module.strip_prefix(**room).is_some_and(|rest| rest.starts_with("::"))
        };
        rooms.iter().find(is_in).map(|room| (floor, *room))
    })
}

/// `src/kernel/policy/guard.rs` → `kernel::policy::guard`.
fn module_of(path: &str) -> String {
    let path = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    path.trim_end_matches("/mod").replace('/', "::")
}

/// Imports of this file that the law forbids.
pub(crate) fn faults(source: &Source) -> Vec<String> {
    let module = module_of(&source.path);
    // The doors only open rooms; the binary and the crate's root stand above all.
    if matches!(module.as_str(), "lib" | "main" | "build" | "kernel" | "edge") {
        return Vec::new();
    }
    let Some((floor, home)) = room(&module) else {
        return vec![format!("{}: `{module}` stands on no floor", source.path)];
    };
    let mut faults = Vec::new();
    for (at, target) in imports(source, &module) {
        let place = source.at(at);
        match room(&target) {
            Some((_, there)) if there == home => {}
            Some((below, _)) if below < floor => {}
            Some((_, there)) if ALLOWED.contains(&(home, there)) => {}
            Some((above, there)) if above > floor => {
                faults.push(format!("{place}: {home} imports from above: {there}"));
            }
            Some((_, there)) => {
                faults.push(format!("{place}: {home} and {there} are neighbours, so strangers"));
            }
            None => faults.push(format!("{place}: `{target}` stands on no floor: name its room")),
        }
    }
    faults
}

/// Every `crate::…` and `super::…` path, resolved to a module path of the crate.
fn imports(source: &Source, module: &str) -> Vec<(usize, String)> {
    let code = source.code();
    let mut found = Vec::new();
    for (at, _) in source.words().filter(|(_, word)| *word == "crate") {
        if let Some(rest) = code[at + "crate".len()..].strip_prefix("::") {
            expand(rest, "", 0, &mut |path| found.push((at, path)));
        }
    }
    for (at, _) in source.words().filter(|(_, word)| *word == "super") {
        // Only the first of `super::super::…`.
        if code[..at].trim_end().ends_with("super::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut base: Vec<&str> = module.split("::").collect();
        // An inline module, as `mod tests`, is one level deeper.
        base.extend(inline_modules(code, at));
        while let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        }
        expand(rest, &base.join("::"), 0, &mut |path| {
            if path.contains("::") {
                found.push((at, path));
            }
        });
    }
    found
}

/// The inline modules around a byte, outermost first.
fn inline_modules(code: &str, at: usize) -> Vec<&str> {
    let mut around: Vec<Option<&str>> = Vec::new();
    let mut pending = None;
    let mut word = "";
    let mut start = 0;
    for (i, c) in code[..at].char_indices() {
        if c.is_alphanumeric() || c == '_' {
            continue;
        }
        let now = &code[start..i];
        start = i + c.len_utf8();
        if !now.is_empty() {
            if word == "mod" {
                pending = Some(now);
            }
            word = now;
        }
        match c {
            '{' => around.push(pending.take()),
            '}' => {
                around.pop();
            }
            ';' => pending = None,
            _ => {}
        }
    }
    around.into_iter().flatten().collect()
}

/// Paths of a use tree: `a::{b, c::d}` → `a::b`, `a::c::d`.
fn expand(text: &str, base: &str, depth: usize, found: &mut impl FnMut(String)) -> usize {
    assert!(depth < 16, "a use tree is too deep");
    let join = |base: &str, word: &str| {
        if base.is_empty() { word.to_owned() } else { format!("{base}::{word}") }
    };
    let trimmed = text.trim_start();
    let skipped = text.len() - trimmed.len();
    if let Some(inner) = trimmed.strip_prefix('{') {
        let mut used = skipped + 1;
        let mut rest = inner;
        loop {
            let taken = expand(rest, base, depth + 1, found);
            used += taken;
            rest = &rest[taken..];
            let next = rest.trim_start();
            used += rest.len() - next.len();
            rest = next;
            match rest.chars().next() {
                Some(',') => (rest, used) = (&rest[1..], used + 1),
                Some('}') => return used + 1,
                _ => return used,
            }
        }
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = trimmed.find(|c| !is_word(c)).unwrap_or(trimmed.len());
    let word = &trimmed[..end];
    let path = if word.is_empty() { base.to_owned() } else { join(base, word) };
    if !word.is_empty()
        && let Some(rest) = trimmed[end..].strip_prefix("::")
    {
        return skipped + end + 2 + expand(rest, &path, depth + 1, found);
    }
    if !path.is_empty() {
        found(path);
    }
    skipped + end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(path: &str, text: &str) -> Vec<String> {
        faults(&Source::new(path, text))
    }

    #[test]
    fn an_import_from_above_is_found() {
        let found =
            faults_of("src/kernel/policy/x.rs", "//! x\nuse crate::kernel::ledger::Ledger;\n");
        assert_eq!(
            found,
            ["src/kernel/policy/x.rs:2: kernel::policy imports from above: kernel::ledger"]
        );
    }

    #[test]
    fn neighbours_are_strangers() {
        for (path, text) in [
            ("src/kernel/health/x.rs", "use crate::kernel::zone::Zone;"),
            ("src/edge/dns/x.rs", "use crate::edge::api::Backend;"),
            ("src/runtime/x.rs", "use crate::sim::World;"),
            ("src/kernel/policy/x.rs", "fn f() { crate::kernel::switchover::go() }"),
        ] {
            let found = faults_of(path, text);
            assert!(found.len() == 1 && found[0].contains("strangers"), "{path}: {found:?}");
        }
    }

    #[test]
    fn groups_nested_groups_and_supers_hide_nothing() {
        for text in [
            "use crate::{kernel::{domain::Epoch, ledger::Ledger}};",
            "use crate::kernel::{\n    domain::{Epoch, Moment},\n    ledger::*,\n};",
            "use super::super::ledger::Ledger;",
            "mod tests {\n    use super::super::super::ledger::Ledger;\n}",
            "pub(in crate::kernel::ledger) fn f() {}",
        ] {
            let found = faults_of("src/kernel/policy/x.rs", text);
            assert!(found.len() == 1 && found[0].contains("kernel::ledger"), "{text}: {found:?}");
        }
    }

    #[test]
    fn lower_floors_and_the_own_room_are_open() {
        let text = "use crate::kernel::{domain::Epoch, health::Service};\nuse super::guard::Hold;\n\
                    use crate::kernel::policy::Mode; // crate::cli\nmod tests { use super::*; }";
        assert_eq!(faults_of("src/kernel/policy/x.rs", text), Vec::<String>::new());
        assert_eq!(
            faults_of("src/cli/x.rs", "use crate::runtime::clock::Clock;"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_room_that_nobody_placed_is_found() {
        let found = faults_of("src/magic/x.rs", "//! x");
        assert!(found[0].contains("stands on no floor"), "{found:?}");
        let found = faults_of("src/cli/x.rs", "use crate::kernel::magic::Wand;");
        assert!(found[0].contains("stands on no floor"), "{found:?}");
    }
}
