//! Linearizability of a recorded history: is there one order of all operations that fits what each was answered, in
//! which every operation takes effect between its call and its answer?
//!
//! A depth-first search over (operations done, state), as Wing and Gong described it ("Testing and verifying concurrent
//! objects", 1993), that remembers where it has been, as Lowe added ("Testing for linearizability", 2017). An operation
//! whose outcome is unknown may take effect at any later time, or never. What nobody asked for (the cluster's own
//! decisions) are steps of the model that may happen at any time.

use std::collections::BTreeSet;

/// What an object may do.
pub(crate) trait Model {
    /// Its state.
    type State: Clone + Ord;
    /// What is asked of it, with the answer.
    type Op;

    /// The state after the operation; nothing if the answer does not fit the state.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// The states to which it may go by itself, one step each.
    fn by_itself(&self, state: &Self::State) -> Vec<Self::State>;
}

/// An operation with its times, on one clock.
#[derive(Clone, Debug)]
pub(crate) struct Timed<O> {
    /// When it was asked.
    pub(crate) call: u64,
    /// When it was answered; nothing if that never came.
    pub(crate) answer: Option<u64>,
    /// What, and what was answered.
    pub(crate) op: O,
    /// In words.
    pub(crate) words: String,
}

/// Places that are looked at before the search is given up: a history that needs more tells too little.
const MOST: usize = 2_000_000;

/// Operations done, a bit each.
type Done = Vec<u64>;

fn has(done: &Done, at: usize) -> bool {
    done[at / 64] >> (at % 64) & 1 == 1
}

fn with(done: &Done, at: usize) -> Done {
    let mut more = done.clone();
    more[at / 64] |= 1 << (at % 64);
    more
}

/// How far the search got.
struct Farthest {
    count: usize,
    stuck: Vec<usize>,
}

/// Finds an order, or says in words where every order fails.
pub(crate) fn check<M: Model>(
    model: &M,
    first: M::State,
    history: &[Timed<M::Op>],
) -> Result<(), String> {
    let mut order: Vec<&Timed<M::Op>> = history.iter().collect();
    order.sort_by_key(|timed| timed.call);
    let none: Done = vec![0; order.len() / 64 + 1];
    let mut seen: BTreeSet<(Done, M::State)> = BTreeSet::new();
    let mut open = vec![(none, first)];
    let mut farthest = Farthest { count: 0, stuck: Vec::new() };
    while let Some((done, state)) = open.pop() {
        let left = |at: &usize| !has(&done, *at);
        if (0..order.len()).filter(left).all(|at| order[at].answer.is_none()) {
            return Ok(());
        }
        if !seen.insert((done.clone(), state.clone())) {
            continue;
        }
        if seen.len() > MOST {
            return Err(format!("undecided: no order was found among {MOST} places"));
        }
        let next = may_be_next(&order, &done);
        let count = (0..order.len()).filter(|at| has(&done, *at)).count();
        if count >= farthest.count {
            farthest = Farthest { count, stuck: next.clone() };
        }
        open.extend(model.by_itself(&state).into_iter().map(|state| (done.clone(), state)));
        // The earliest is tried first: it is pushed last.
        for at in next.into_iter().rev() {
            if let Some(state) = model.step(&state, &order[at].op) {
                open.push((with(&done, at), state));
            }
        }
    }
    let stuck: Vec<String> = farthest
        .stuck
        .iter()
        .map(|at| format!("{} [{}..{:?}]", order[*at].words, order[*at].call, order[*at].answer))
        .collect();
    Err(format!(
        "no order fits: after {} of {} operations none of these can be next:\n    {}",
        farthest.count,
        order.len(),
        stuck.join("\n    ")
    ))
}

/// Operations that no other one, still to be done, was answered before.
fn may_be_next<O>(order: &[&Timed<O>], done: &Done) -> Vec<usize> {
    let mut next = Vec::new();
    let mut first_answer = u64::MAX;
    for (at, timed) in order.iter().enumerate().filter(|(at, _)| !has(done, *at)) {
        if timed.call > first_answer {
            break;
        }
        next.push(at);
        first_answer = first_answer.min(timed.answer.unwrap_or(u64::MAX));
    }
    next
}
