//! What can be wrong with a store, and what to do about it.

use std::path::{Path, PathBuf};

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither a store nor a birth token: this disk has no right to the member's id.
    #[error(
        "{0} holds neither a store nor a birth token. Check data_dir in node.toml first. A member that lost its \
         disk must not vote again under its old id, and neither must an old copy of its store: as long as two \
         of three members are alive, leave this one stopped; to have three again, make a new cluster with \
         `biplane init` in another directory"
    )]
    NoBirth(PathBuf),
    /// A birth token that does not say who the members are.
    #[error(
        "the birth token in {0} was not made by `biplane init`: put back the one that init made for this \
         member, or make a new cluster with `biplane init` in another directory"
    )]
    NoToken(PathBuf),
    /// The cluster file names other members than this member's cluster was made of.
    #[error(
        "the cluster file names the members {file}, and this cluster was made of {born}: a node with other \
         members could elect a leader of its own. Put the members back into the cluster file as they were"
    )]
    OtherMembers {
        /// The ids that the store, or its birth token, holds.
        born: String,
        /// Those of the cluster file.
        file: String,
    },
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
        "the store is corrupt: {0}. Leave this member stopped and keep the file for an inquiry; the other \
         two go on without it. Do not put an older copy in its place: it would vote a second time on what it \
         has forgotten. To have three members again, make a new cluster with `biplane init`"
    )]
    Corrupt(String),
    /// An observer's number cannot be read.
    #[error(
        "the file `incarnation` in the observer's data directory is damaged: {0}. Take the observer out of the \
         configuration and put it back (`biplane config apply`), remove the file, and start it again"
    )]
    Observer(String),
    /// Another process holds it.
    #[error("the store is in use by another process: is this node running already?")]
    InUse,
    /// The disk failed or is full.
    #[error("the disk failed: {0}. Mend it (or make room) and start the node again")]
    Failed(String),
    /// One of the others, with the path that it is about.
    #[error("{}: {error}", path.display())]
    At {
        /// The store's file, or an observer's data directory.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Self>,
    },
}

impl StoreError {
    /// The same with this path, if its words do not name one in this directory already.
    pub fn at(self, path: &Path) -> Self {
        let dir = path.parent().unwrap_or(path).display().to_string();
        if self.to_string().contains(&dir) {
            return self;
        }
        Self::At { path: path.to_owned(), error: Box::new(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_wrong_its_path_is_named_once() {
        let path = Path::new("/srv/a/data/biplane.redb");
        let words = |error: StoreError| error.at(path).to_string();
        let corrupt = words(StoreError::Corrupt("no head".to_owned()));
        assert!(
            corrupt.starts_with("/srv/a/data/biplane.redb: the store is corrupt: no head"),
            "{corrupt}"
        );
        let in_use = words(StoreError::InUse);
        assert!(in_use.starts_with("/srv/a/data/biplane.redb: the store is in use"), "{in_use}");
        let lost = words(StoreError::NoBirth("/srv/a/data".into()));
        assert!(lost.starts_with("/srv/a/data holds neither"), "{lost}");
    }
}
