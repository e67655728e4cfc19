//! What can be wrong with a store, and what to do about it.

use std::path::PathBuf;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither a store nor a birth token: this disk has no right to the member's id.
    #[error(
        "{0} holds neither a store nor a birth token. A member that lost its disk must not vote again under \
         its old id: restore the directory from its own backup, or make a new cluster with `biplane init`"
    )]
    NoBirth(PathBuf),
    /// The file belongs to another cluster or member.
    #[error("the store belongs to {found}, and this node is {wanted}: check data_dir in node.toml")]
    Foreign {
        /// Whose it is.
        found: String,
        /// Who this is.
        wanted: String,
    },
    /// A birth token that is not the one this store was born of.
    #[error(
        "{0} holds a store, and beside it the birth token of another birth: somebody made the cluster anew over \
         it. To go on with the old store, remove the file birth-token; to begin anew, make all members anew in \
         empty directories"
    )]
    OtherBirth(PathBuf),
    /// Written by a newer version.
    #[error("the store has format {0}; this version reads up to {max}: start a newer biplane", max = super::limits::FORMAT)]
    Newer(u64),
    /// What is written contradicts itself.
    #[error(
        "the store is corrupt: {0}. Stop this member, keep the file for an inquiry, and restore the member \
         from its own backup; the other two go on without it"
    )]
    Corrupt(String),
    /// Another process holds it.
    #[error("the store is in use by another process: is this node running already?")]
    InUse,
    /// The disk failed or is full.
    #[error("the disk failed: {0}. Mend it (or make room) and start the node again")]
    Failed(String),
}
