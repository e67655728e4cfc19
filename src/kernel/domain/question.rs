//! Numbers of things that the log creates.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A question: the (term, index) of the log entry that asked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct QuestionId {
    /// Raft term of the entry.
    pub term: u64,
    /// Raft index of the entry.
    pub index: u64,
}

impl fmt::Display for QuestionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{}.{}", self.term, self.index)
    }
}

/// A switchover: the index of the log entry that decided it, and its place among that entry's.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
pub struct SwitchoverId {
    /// Raft index of the entry.
    pub index: u64,
    /// 0 for the first switchover that the entry decided.
    pub nth: u32,
}

impl fmt::Display for SwitchoverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}-{}", self.index, self.nth)
    }
}

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident = $letter:literal, $what:literal, $example:literal;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone,
            Copy,
            Debug,
            Default,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            Serialize,
            Deserialize,
            JsonSchema,
        )]
        #[serde(into = "String", try_from = "String")]
        pub struct $name {
            /// Raft index of the entry.
            pub index: u64,
            /// 0 for the first of its kind in the entry.
            pub nth: u32,
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}-{}"), self.index, self.nth)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                two_numbers(text, $letter, '-').map(|(index, nth)| Self { index, nth }).ok_or_else(|| {
                    IdError { text: text.to_owned(), what: $what, example: $example }
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

numbered! {
    /// An event: the index of the log entry that made it happen, and its place among that entry's.
    EventId = 'e', "an event", "e120-0";
    /// A question to a person, whether a group may be moved.
    AskId = 'p', "an ask", "p120-0";
    /// An alarm, from when it is raised until it is cleared.
    AlarmId = 'a', "an alarm", "a120-0";
}

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no id of {what}: one looks like {example}")]
pub struct IdError {
    text: String,
    what: &'static str,
    example: &'static str,
}

fn two_numbers<A: FromStr, B: FromStr>(text: &str, first: char, between: char) -> Option<(A, B)> {
    let (a, b) = text.strip_prefix(first)?.split_once(between)?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

impl FromStr for QuestionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        two_numbers(text, 'q', '.')
            .map(|(term, index)| Self { term, index })
            .ok_or_else(|| IdError { text: text.to_owned(), what: "a question", example: "q3.120" })
    }
}

impl FromStr for SwitchoverId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        two_numbers(text, 's', '-').map(|(index, nth)| Self { index, nth }).ok_or_else(|| IdError {
            text: text.to_owned(),
            what: "a switchover",
            example: "s120-0",
        })
    }
}

impl TryFrom<String> for QuestionId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl TryFrom<String> for SwitchoverId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<QuestionId> for String {
    fn from(id: QuestionId) -> Self {
        id.to_string()
    }
}

impl From<SwitchoverId> for String {
    fn from(id: SwitchoverId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_written() {
        let q = QuestionId { term: 3, index: 120 };
        let s = SwitchoverId { index: 120, nth: 2 };
        assert_eq!(q.to_string().parse(), Ok(q));
        assert_eq!(s.to_string().parse(), Ok(s));
        let e = EventId { index: 120, nth: 2 };
        assert_eq!(e.to_string().parse(), Ok(e));
        let p = AskId { index: 120, nth: 2 };
        assert_eq!(p.to_string().parse(), Ok(p));
        assert!("s120-2".parse::<EventId>().is_err());
        let refused = "e1-0".parse::<AlarmId>().expect_err("an event is no alarm");
        assert_eq!(refused.to_string(), "`e1-0` is no id of an alarm: one looks like a120-0");
        assert!("120".parse::<SwitchoverId>().is_err());
        assert!("q1".parse::<QuestionId>().is_err());
    }
}
