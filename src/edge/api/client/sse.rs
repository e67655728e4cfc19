//! Reads server-sent events (WHATWG HTML, section 9.2.6), bounded.

use super::super::limits::ANSWER_BYTES;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SseEvent {
    /// Its type; `message` when none was named.
    pub(super) event: String,
    /// Its data lines, joined by line feeds.
    pub(super) data: String,
}

/// An event is longer than [`ANSWER_BYTES`], or not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SseError {
    /// Too long.
    #[error("an event is longer than {ANSWER_BYTES} bytes")]
    TooLong,
    /// Not text.
    #[error("an event is not UTF-8")]
    NotText,
}

/// Takes bytes in any pieces and gives whole events.
#[derive(Debug, Default)]
pub(super) struct SseReader {
    line: Vec<u8>,
    after_cr: bool,
    started: bool,
    event: String,
    data: Option<String>,
}

impl SseReader {
    /// Bytes of the event that has begun.
    fn held(&self) -> usize {
        self.line.len() + self.event.len() + self.data.as_ref().map_or(0, String::len)
    }

    /// Takes the next piece; whole events go to `out`.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<SseEvent>) -> Result<(), SseError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let piece = &rest[..end.unwrap_or(rest.len())];
            if self.held() + piece.len() > ANSWER_BYTES {
                return Err(SseError::TooLong);
            }
            self.line.extend_from_slice(piece);
            let Some(end) = end else { return Ok(()) };
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.take_line(&line, out)?;
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<SseEvent>) -> Result<(), SseError> {
        let line = std::str::from_utf8(line).map_err(|_| SseError::NotText)?;
        let line = if std::mem::replace(&mut self.started, true) {
            line
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        };
        if line.is_empty() {
            self.end_event(out);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Comments (an empty field), `id`, `retry` and unknown fields say nothing to us.
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self, out: &mut Vec<SseEvent>) {
        let event = std::mem::take(&mut self.event);
        // Without data there is no event.
        let Some(data) = self.data.take() else { return };
        let event = if event.is_empty() { "message".to_owned() } else { event };
        out.push(SseEvent { event, data });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let (mut reader, mut out) = (SseReader::default(), Vec::new());
        for piece in pieces {
            reader.take(piece, &mut out).unwrap();
        }
        out
    }

    fn event(event: &str, data: &str) -> SseEvent {
        SseEvent { event: event.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let text = "\u{feff}: hello\n\nevent: table\nid: 7\ndata: {\"a\":1}\n\n\
                    data\ndata:x\r\ndata:  y\r\n\r\nevent: lost\n\nretry: 5\rdata: z\r\r";
        let expected =
            [event("table", "{\"a\":1}"), event("message", "\nx\n y"), event("message", "z")];
        assert_eq!(read(&[text.as_bytes()]), expected);
    }

    #[test]
    fn an_event_that_never_ends_is_refused() {
        let (mut reader, mut out) = (SseReader::default(), Vec::new());
        let piece = vec![b'x'; 1024 * 1024];
        let result = (0..80).try_for_each(|_| reader.take(&piece, &mut out));
        assert_eq!(result, Err(SseError::TooLong));
        let (mut reader, line) =
            (SseReader::default(), [b"data:".as_slice(), &piece, b"\n"].concat());
        let result = (0..80).try_for_each(|_| reader.take(&line, &mut out));
        assert_eq!(result, Err(SseError::TooLong));
    }

    /// How many events come of one whose name and data lines have these lengths.
    fn told(name: usize, lines: &[usize]) -> Result<usize, SseError> {
        let mut text = format!("event:{}\n", "n".repeat(name));
        for length in lines {
            text.push_str(&format!("data:{}\n", "x".repeat(*length)));
        }
        text.push('\n');
        let mut out = Vec::new();
        SseReader::default().take(text.as_bytes(), &mut out).map(|()| out.len())
    }

    #[test]
    fn an_event_of_the_limit_is_read_and_one_byte_more_is_refused() {
        let quarter = ANSWER_BYTES / 4;
        // The name, the lines before the last, and the last one with its field's name are held at once.
        let last = ANSWER_BYTES - 2 * quarter - "data:".len();
        assert_eq!(told(2 * quarter, &[last]), Ok(1));
        assert_eq!(told(2 * quarter, &[last + 1]), Err(SseError::TooLong));
        assert_eq!(told(quarter, &[quarter, last]), Ok(1));
        assert_eq!(told(quarter, &[quarter, last + 1]), Err(SseError::TooLong));
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        let mut out = Vec::new();
        assert_eq!(SseReader::default().take(b"data: \xff\n", &mut out), Err(SseError::NotText));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn the_pieces_do_not_matter(text in "([a-z:\r\n ]|data: |event: |\u{feff}|ä){0,80}", cut in 1_usize..9) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            prop_assert_eq!(read(&pieces), read(&[text.as_bytes()]));
        }
    }
}
