//! One integration binary: what only whole processes, or the whole tree of sources, can show.

mod exits;
mod tidy;
