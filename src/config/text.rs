//! From the bytes of a file to its text.

use super::fault::{Fault, Faults};
use super::limits::FILE;

/// The text of a file; `file` is its name in faults. Bytes that are not UTF-8 are a fault at their line.
pub fn text_of(file: &str, bytes: Vec<u8>) -> Result<String, Faults> {
    let most = usize::try_from(FILE.max).unwrap_or(usize::MAX);
    let error = match String::from_utf8(bytes) {
        Ok(text) if text.len() <= most => return Ok(text),
        Ok(_) => {
            let what = format!("the file is longer than {} MiB", most >> 20);
            return Err(of_file(file, "", 0, what, "name a configuration file"));
        }
        Err(error) => error,
    };
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes()[at];
    // What is shown stops at the end of the line; the place is the same in both.
    let end =
        error.as_bytes()[at..].iter().position(|b| *b == b'\n').map_or(most, |line| at + line);
    let shown = &error.as_bytes()[..end.min(error.as_bytes().len()).min(at + 200)];
    let text = String::from_utf8_lossy(shown);
    let what = format!("byte 0x{byte:02x} is not UTF-8");
    Err(of_file(file, &text, at, what, "save the file as UTF-8"))
}

fn of_file(file: &str, text: &str, at: usize, what: String, write: &str) -> Faults {
    let fault = Fault { place: at..at + 1, path: String::new(), what, write: write.to_owned() };
    Faults::new(file, text, vec![fault], 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_byte_is_shown_at_its_line() {
        let shown = text_of("f", b"a = 1\nb = \"\xff\xfe\"\nc".to_vec()).unwrap_err().to_string();
        assert!(shown.starts_with("f:2:6: byte 0xff is not UTF-8\n 2 | b = \"\u{fffd}"), "{shown}");
        assert!(shown.contains("\n   |      ^\n   = save the file as UTF-8\n"), "{shown}");
        assert!(text_of("f", vec![0xff]).unwrap_err().to_string().starts_with("f:1:1: "));
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_refused_beyond() {
        let most = usize::try_from(FILE.max).unwrap();
        assert_eq!(text_of("f", vec![b'#'; most]).unwrap().len(), most);
        let refused = text_of("f", vec![b'#'; most + 1]).unwrap_err().to_string();
        assert!(refused.contains("longer than 32 MiB"), "{refused}");
    }
}
