//! Reading an archive, while its node writes it or after.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use super::{AUDIT_DIR, first_of, limits, segments};
use crate::kernel::ledger::{AuditLine, AuditPage};

/// Lines from an entry on, as many as fit one answer, of a node's data directory.
///
/// # Errors
/// When a segment cannot be read. A line that cannot be is where the page ends.
pub fn page(data_dir: &Path, from: u64) -> io::Result<AuditPage> {
    let dir = data_dir.join(AUDIT_DIR);
    let all = match segments(&dir) {
        Ok(all) => all,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let oldest = all.first().and_then(|(path, _)| first_of(path));
    let mut page = AuditPage { oldest, lines: Vec::new(), more: false };
    // The segment that holds `from` is the last one that begins no later.
    let begins = |at: &(std::path::PathBuf, u64)| first_of(&at.0).unwrap_or_default();
    let start = all.partition_point(|segment| begins(segment) <= from).saturating_sub(1);
    let mut bytes = 0;
    for (path, _) in &all[start.min(all.len())..] {
        let file = match File::open(path) {
            Ok(file) => file,
            // The ring has taken it away in this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut reader = BufReader::new(file);
        let mut text = String::new();
        while reader.read_line(&mut text)? > 0 {
            // The end of a line may still be on its way.
            let line = serde_json::from_str::<AuditLine>(&text);
            let (Ok(line), true) = (line, text.ends_with('\n')) else { return Ok(page) };
            if line.index >= from {
                bytes += text.len();
                if page.lines.len() >= limits::PAGE_LINES
                    || (bytes > limits::PAGE_BYTES && !page.lines.is_empty())
                {
                    page.more = true;
                    return Ok(page);
                }
                page.lines.push(line);
            }
            text.clear();
        }
    }
    Ok(page)
}
