//! The directory of one demo.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::super::exit::Failure;
use super::files;

/// A directory of our own, mode 0700.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    keep: bool,
}

impl Room {
    /// Makes it: `keep`, which is left as it is in the end, or one in the system's temporary directory, of which
    /// only logs remain.
    pub(super) fn make(keep: Option<PathBuf>, base: u16) -> Result<Self, Failure> {
        let kept = keep.is_some();
        let path = keep.unwrap_or_else(|| {
            let name = format!("biplane-demo-{base}-{}", std::process::id());
            std::env::temp_dir().join(name)
        });
        let wrong = |error: std::io::Error| {
            Failure::failed(
                format!("cannot make {}: {error}", path.display()),
                "give --keep DIR, a directory that is missing or empty",
            )
        };
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        match made {
            Ok(()) => {}
            Err(error) if kept && error.kind() == std::io::ErrorKind::AlreadyExists => {
                if std::fs::read_dir(&path).map_err(wrong)?.next().is_some() {
                    return Err(wrong(std::io::Error::other("it is not empty")));
                }
            }
            Err(error) => return Err(wrong(error)),
        }
        let path = path.canonicalize().map_err(wrong)?;
        std::fs::create_dir(path.join(files::LOGS)).map_err(wrong)?;
        Ok(Self { path, keep: kept })
    }

    /// Where it is: absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes keys and data, unless all is to be kept.
    pub(super) fn leave(&self) {
        if self.keep {
            return;
        }
        // What cannot be removed was no use to anybody else: the directory is ours alone.
        for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name == files::LOGS || name == "client.csv" {
                continue;
            }
            let _ = std::fs::remove_dir_all(entry.path())
                .or_else(|_| std::fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_something_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("precious"), "").unwrap();
        let failure = Room::make(Some(dir.path().to_owned()), 7400).unwrap_err();
        assert!(failure.what.contains("not empty"), "{failure}");
        assert!(dir.path().join("precious").exists());
    }

    #[test]
    fn keys_and_data_go_and_logs_stay() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room { path: dir.path().to_owned(), keep: false };
        for name in ["client.csv", "ca.key"] {
            std::fs::write(room.path().join(name), "").unwrap();
        }
        for name in [files::LOGS, "data"] {
            std::fs::create_dir(room.path().join(name)).unwrap();
        }
        room.leave();
        let left = |name: &str| room.path().join(name).exists();
        assert!(left("client.csv") && left(files::LOGS) && !left("ca.key") && !left("data"));
    }
}
