//! `docs/promises.md`: each promise names its proofs, and each proof exists.
//!
//! A proof is written in backquotes: `test NAME`, `scenario NAME` (a file of `simulations/`), `oracle NAME` (a file
//! of `src/sim/oracle/`), or `run COMMAND` (a script of the tree).

/// Kinds of proof, and where those that are files lie.
const FILES: &[(&str, &str, &str)] =
    &[("scenario", "simulations/", ".txt"), ("oracle", "src/sim/oracle/", ".rs"), ("run", "", "")];

/// Proofs that do not exist, and promises without a row.
pub(crate) fn faults(text: &str, tests: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for number in 1..=10 {
        let row = text.lines().find(|line| line.starts_with(&format!("| P{number} ")));
        match row {
            None => faults.push(format!("P{number} has no row")),
            // A promise that is not kept yet says so, and claims no proof.
            Some(row) if row.contains("not yet") => {}
            Some(row) if proofs(row).next().is_none() => {
                faults.push(format!("P{number} names no proof"));
            }
            Some(_) => {}
        }
    }
    for (kind, name) in proofs(text) {
        let found = match FILES.iter().find(|(known, ..)| *known == kind) {
            Some((_, dir, ending)) => {
                let name = name.split_whitespace().next().unwrap_or_default();
                exists(&format!("{dir}{name}{ending}"))
            }
            None => tests.iter().any(|test| test == name),
        };
        if !found {
            faults.push(format!("there is no {kind} `{name}`"));
        }
    }
    faults
}

/// Every proof in a text.
fn proofs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|quoted| {
        let (kind, name) = quoted.split_once(' ')?;
        let known = kind == "test" || FILES.iter().any(|(known, ..)| *known == kind);
        known.then_some((kind, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_with(row: &str) -> String {
        let rows = (2..=10).map(|n| format!("| P{n} x | not yet |"));
        std::iter::once(row.to_owned()).chain(rows).collect::<Vec<_>>().join("\n")
    }

    fn faults_of(row: &str) -> Vec<String> {
        let exists = |path: &str| path == "simulations/plane-dies.txt" || path == "tests/run";
        faults(&text_with(row), &["a_is_b".to_owned()], exists)
    }

    #[test]
    fn proofs_that_exist_are_accepted() {
        let row =
            "| P1 x | `test a_is_b`, `scenario plane-dies`, `run tests/run --all`, `not a proof` |";
        assert_eq!(faults_of(row), Vec::<String>::new());
    }

    #[test]
    fn proofs_that_do_not_exist_are_found() {
        for row in
            ["| P1 x | `test gone` |", "| P1 x | `scenario gone` |", "| P1 x | `oracle p1` |"]
        {
            assert_eq!(faults_of(row).len(), 1, "{row}");
        }
    }

    #[test]
    fn a_promise_without_proof_or_without_a_row_is_found() {
        assert_eq!(faults_of("| P1 x | surely |"), ["P1 names no proof"]);
        assert_eq!(faults_of("| Q1 x | |"), ["P1 has no row"]);
    }
}
