//! What the demo prints for people to copy.

use std::path::Path;

use super::load::NAME;
use super::ports::{Block, PLANES};
use super::story::GROUP;

/// Lines for a shell, in order; each works as it stands.
pub(super) fn lines(block: &Block, client: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(path_line());
    lines.push(format!("export BIPLANE_DIR={}", quoted(&client.display().to_string())));
    lines.push(format!("dig @{} -p {} {NAME} +short", block.dns(0).ip(), block.dns(0).port()));
    lines.push(format!("curl -i http://{}/", block.gateway()));
    lines.push("biplane status".to_owned());
    lines.push(format!("biplane switch {GROUP} --to {}", PLANES[1]));
    lines.push("biplane explain last".to_owned());
    lines
}

/// Makes `biplane` this binary, unless it is already.
fn path_line() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let found = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join("biplane"))
        .find(|path| path.is_file());
    if found.and_then(|path| path.canonicalize().ok()) == program.canonicalize().ok() {
        return None;
    }
    let dir = program.parent()?.display().to_string();
    Some(format!("export PATH={}:\"$PATH\"", quoted(&dir)))
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        for word in ["/tmp/a", "/tmp/with blank", "it's", "$HOME", ""] {
            let said = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }

    #[test]
    fn the_printed_switch_names_the_passive_plane() {
        let lines = lines(&Block::claim().unwrap(), Path::new("/tmp/demo"));
        assert!(lines.contains(&"biplane switch shop --to west".to_owned()), "{lines:?}");
        assert!(lines.contains(&"export BIPLANE_DIR=/tmp/demo".to_owned()), "{lines:?}");
    }
}
