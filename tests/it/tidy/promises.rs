//! `docs/promises.md`: each promise, and each sentence of how the main job is proved, names its proofs; each proof
//! exists; each row has the last result and its day.
//!
//! A proof is written in backquotes: `test NAME`, `scenario NAME` (a file of `simulations/`), `oracle NAME` (a file
//! of `src/sim/oracle/`), or `run COMMAND` (a script of the tree).

/// Kinds of proof, and where those that are files lie.
const FILES: &[(&str, &str, &str)] =
    &[("scenario", "simulations/", ".txt"), ("oracle", "src/sim/oracle/", ".rs"), ("run", "", "")];

/// Rows that must be there: P1 to P10, the sentences of the main job's proof, J1 to J20, those of a year's, K1 to K6, and
/// those of the simulator's, L1 to L5.
const ROWS: &[(char, u32)] = &[('P', 10), ('J', 20), ('K', 6), ('L', 5)];

/// Rows that are missing or tell too little, and proofs that do not exist.
pub(crate) fn faults(text: &str, tests: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for (letter, count) in ROWS {
        for number in 1..=*count {
            let id = format!("{letter}{number}");
            let row = text.lines().find(|line| line.starts_with(&format!("| {id} ")));
            faults.extend(row.map_or_else(|| Some(format!("{id} has no row")), row_fault));
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

/// What a row lacks. One that is not kept yet says so, and claims nothing.
fn row_fault(row: &str) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let id = cells.first()?.split_whitespace().next().unwrap_or_default();
    let [_, _, claim, result, day] = cells.as_slice() else {
        return Some(format!("{id} has {} cells, not five", cells.len()));
    };
    if claim.starts_with("not yet") {
        return None;
    }
    if proofs(claim).next().is_none() {
        return Some(format!("{id} names no proof"));
    }
    if result.is_empty() {
        return Some(format!("{id} tells no result"));
    }
    let numbers: Vec<&str> = day.split('-').collect();
    let shaped = numbers.iter().map(|part| part.len()).eq([4, 2, 2])
        && numbers.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    (!shaped).then(|| format!("{id} has no day of the form 2026-01-31"))
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
        let rest = ROWS.iter().flat_map(|(letter, count)| {
            (1..=*count).map(move |n| format!("| {letter}{n} x | y | not yet | | |"))
        });
        std::iter::once(row.to_owned()).chain(rest.skip(1)).collect::<Vec<_>>().join("\n")
    }

    fn faults_of(row: &str) -> Vec<String> {
        let exists = |path: &str| path == "simulations/plane-dies.txt" || path == "tests/run";
        faults(&text_with(row), &["a_is_b".to_owned()], exists)
    }

    #[test]
    fn proofs_that_exist_are_accepted() {
        let row = "| P1 x | y | `test a_is_b`, `scenario plane-dies`, `run tests/run --all`, `not a proof` \
                   | green | 2026-01-31 |";
        assert_eq!(faults_of(row), Vec::<String>::new());
    }

    #[test]
    fn proofs_that_do_not_exist_are_found() {
        for claim in ["`test gone`", "`scenario gone`", "`oracle p1`"] {
            let row = format!("| P1 x | y | {claim} | green | 2026-01-31 |");
            assert_eq!(faults_of(&row).len(), 1, "{row}");
        }
    }

    #[test]
    fn a_row_that_tells_too_little_is_found() {
        for (row, fault) in [
            ("| P1 x | y | surely | green | 2026-01-31 |", "P1 names no proof"),
            ("| P1 x | y | `test a_is_b` | | 2026-01-31 |", "P1 tells no result"),
            (
                "| P1 x | y | `test a_is_b` | green | today |",
                "P1 has no day of the form 2026-01-31",
            ),
            ("| P1 x | `test a_is_b` | green |", "P1 has 3 cells, not five"),
            ("| Q1 x | |", "P1 has no row"),
        ] {
            assert_eq!(faults_of(row), [fault]);
        }
    }
}
