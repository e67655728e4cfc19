//! Who cut a way: it is open when everybody who cut it has lifted that again.

/// The cuts of one way, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cuts(Vec<u64>);

impl Cuts {
    /// One more. Whether the way was cut already.
    pub fn add(&mut self, cut: u64) -> bool {
        let overlaps = !self.0.is_empty();
        self.0.push(cut);
        overlaps
    }

    /// This one ends, if it has not ended before.
    pub fn lift(&mut self, cut: u64) {
        self.0.retain(|known| *known != cut);
    }

    /// All end.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the way is cut.
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }
}
