//! What was probably meant by a word that nobody knows.

/// Words that are compared with the unknown one, at the most.
const CANDIDATES: usize = 1_000;
/// Characters of a word that is worth a guess, at the most.
const LONGEST: usize = 64;

/// The known word nearest to this one, if it is near: at most two edits, and fewer than half of the word.
pub(super) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    known
        .into_iter()
        .take(CANDIDATES)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(edits, _)| *edits <= 2 && 2 * edits < length.max(2))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_a_stranger_is_not() {
        let known = ["interval", "timeout", "fall", "id"];
        for (word, meant) in [
            ("intervall", Some("interval")),
            ("tiemout", Some("timeout")),
            ("fal", Some("fall")),
            ("xy", None),
            ("", None),
            ("dwell", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(100_000), known), None);
    }

    #[test]
    fn so_many_words_are_compared_and_no_further_one() {
        let strangers = |count: usize| std::iter::repeat_n("stranger", count).chain(["interval"]);
        assert_eq!(nearest("intervall", strangers(CANDIDATES - 1)), Some("interval"));
        assert_eq!(nearest("intervall", strangers(CANDIDATES)), None);
    }

    #[test]
    fn a_word_of_so_many_characters_is_worth_a_guess_and_a_longer_one_is_not() {
        for (length, guessed) in [(LONGEST, true), (LONGEST + 1, false)] {
            // Of two bytes each: characters count.
            let (word, meant) = ("ä".repeat(length), "ä".repeat(length - 1));
            let known = [meant.as_str()];
            assert_eq!(nearest(&word, known), guessed.then_some(meant.as_str()), "{length}");
        }
    }
}
