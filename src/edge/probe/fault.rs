//! From errors to faults: what speaks against the target, and what against this node.

use std::io;

use rustix::io::Errno;

use super::limits;
use crate::kernel::domain::ProbeFault;

/// Cuts a text, so that a hostile target cannot fill the log.
pub(super) fn short(text: impl ToString) -> String {
    let text = text.to_string();
    match text.char_indices().nth(limits::FAULT_CHARS) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// What an error of a socket says.
pub(super) fn of_socket(error: &io::Error) -> ProbeFault {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    match error.raw_os_error() {
        Some(code) if own.iter().any(|errno| errno.raw_os_error() == code) => {
            ProbeFault::NotProbed(short(format_args!("this node cannot open a socket: {error}")))
        }
        Some(code) if code == Errno::AFNOSUPPORT.raw_os_error() => ProbeFault::NotProbed(short(
            format_args!("this node does not speak the address's protocol: {error}"),
        )),
        _ => match error.kind() {
            io::ErrorKind::ConnectionRefused => ProbeFault::Refused,
            io::ErrorKind::TimedOut => ProbeFault::TimedOut,
            _ => ProbeFault::Broken(short(error)),
        },
    }
}

/// What an error of hyper says while an answer is awaited or read.
pub(super) fn of_http(error: &hyper::Error) -> ProbeFault {
    if error.is_parse() {
        return ProbeFault::WrongAnswer(short(format_args!("no HTTP answer: {error}")));
    }
    if error.is_user() {
        return ProbeFault::NotProbed(short(format_args!("cannot ask: {error}")));
    }
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(error) => of_socket(error),
        None => ProbeFault::Broken(short(error)),
    }
}

/// What an error of a TLS handshake says.
pub(super) fn of_handshake(error: &io::Error) -> ProbeFault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(error) => ProbeFault::Tls(short(error)),
        None => ProbeFault::Broken(short(format_args!("during the TLS handshake: {error}"))),
    }
}

/// A class of outcome, for metrics.
pub(super) const fn class(outcome: &Result<(), ProbeFault>) -> &'static str {
    match outcome {
        Ok(()) => "passed",
        Err(ProbeFault::Refused) => "refused",
        Err(ProbeFault::TimedOut) => "timed-out",
        Err(ProbeFault::Unresolved(_)) => "unresolved",
        Err(ProbeFault::Broken(_)) => "broken",
        Err(ProbeFault::Tls(_)) => "tls",
        Err(ProbeFault::WrongAnswer(_)) => "wrong-answer",
        Err(ProbeFault::NotProbed(_)) => "not-probed",
    }
}
