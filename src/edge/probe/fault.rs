//! From errors to faults: what speaks against the target, and what against this node.

use std::io;

use rustix::io::Errno;

use super::limits;
use crate::kernel::domain::ProbeFault;

/// Cuts a text and takes control characters out of it, so that a hostile target can neither fill the log nor
/// steer a terminal.
pub(super) fn short(text: impl ToString) -> String {
    let text = text.to_string();
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = shown.take(limits::FAULT_CHARS).collect();
    if text.chars().nth(limits::FAULT_CHARS).is_some() {
        kept.push('…');
    }
    kept
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

/// What an error of HTTP/2 says.
pub(super) fn of_http2(error: &h2::Error) -> ProbeFault {
    if let Some(error) = error.get_io() {
        return of_socket(error);
    }
    if error.is_library() {
        // Found by this side: what came breaks the protocol.
        return ProbeFault::WrongAnswer(short(format_args!("no HTTP/2 answer: {error}")));
    }
    let reason = error.reason().map_or_else(|| error.to_string(), |reason| reason.to_string());
    if error.is_go_away() {
        return ProbeFault::Broken(short(format_args!("the server goes away (GOAWAY): {reason}")));
    }
    if error.is_reset() {
        return ProbeFault::Broken(short(format_args!("the server ended the call: {reason}")));
    }
    ProbeFault::Broken(short(error))
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
