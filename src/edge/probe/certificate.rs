//! How long a server's certificate is still good.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use x509_parser::time::ASN1Time;

use super::fault::short;
use crate::kernel::domain::{ProbeFault, TlsProbe};

const DAY: i64 = 86_400;

/// Judges the server's own certificate. Those of its authorities are not looked at: servers send some that
/// nobody needs.
pub(super) fn judge(stream: &TlsStream<TcpStream>, probe: &TlsProbe) -> Result<(), ProbeFault> {
    let own = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let Some(own) = own else { return Err(ProbeFault::Tls("no certificate came".to_owned())) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| {
        ProbeFault::NotProbed("this node's wall clock stands before 1970".to_owned())
    })?;
    judge_times(own, i64::try_from(now.as_secs()).unwrap_or(i64::MAX), probe.days)
}

/// `now` is in seconds since 1970.
fn judge_times(own: &CertificateDer<'_>, now: i64, days: u32) -> Result<(), ProbeFault> {
    let wrong = |what: String| Err(ProbeFault::WrongAnswer(short(what)));
    let Ok((_, own)) = x509_parser::parse_x509_certificate(own) else {
        return wrong("a certificate that cannot be read".to_owned());
    };
    let (from, until) = (own.validity().not_before, own.validity().not_after);
    if now < from.timestamp() {
        return wrong(format!("the certificate is not good before {}", day_of(from)));
    }
    let left = until.timestamp() - now;
    if left < 0 {
        return wrong(format!("the certificate expired on {}", day_of(until)));
    }
    if left < i64::from(days) * DAY {
        let whole = left / DAY;
        let words = if whole == 1 { "1 day".to_owned() } else { format!("{whole} days") };
        let until = day_of(until);
        return wrong(format!(
            "the certificate is good for {words} more, until {until}, not {days}"
        ));
    }
    Ok(())
}

fn day_of(time: ASN1Time) -> String {
    time.to_datetime().date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Good on the first ten days of 2030.
    fn certificate() -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["shop.test".to_owned()];
        let mut wanted = rcgen::CertificateParams::new(names).expect("good names");
        wanted.not_before = rcgen::date_time_ymd(2030, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2030, 1, 11);
        wanted.self_signed(&key).expect("signs").der().clone()
    }

    /// 2030-01-01.
    const FIRST: i64 = 1_893_456_000;

    #[test]
    fn days_are_counted_to_the_second() {
        let own = certificate();
        let words = |now: i64, days: u32| match judge_times(&own, now, days) {
            Ok(()) => "good".to_owned(),
            Err(ProbeFault::WrongAnswer(text)) => text,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(words(FIRST - 1, 0), "the certificate is not good before 2030-01-01");
        assert_eq!(words(FIRST, 10), "good");
        let short = "the certificate is good for 9 days more, until 2030-01-11, not 10";
        assert_eq!(words(FIRST + 1, 10), short);
        let short = "the certificate is good for 1 day more, until 2030-01-11, not 2";
        assert_eq!(words(FIRST + 9 * DAY, 2), short);
        assert_eq!(words(FIRST + 9 * DAY, 1), "good");
        assert_eq!(words(FIRST + 10 * DAY, 0), "good");
        assert_eq!(words(FIRST + 10 * DAY + 1, 0), "the certificate expired on 2030-01-11");
    }

    #[test]
    fn garbage_is_no_certificate() {
        let garbage = CertificateDer::from(vec![0x30, 0x82, 0xff, 0xff]);
        assert!(matches!(judge_times(&garbage, FIRST, 0), Err(ProbeFault::WrongAnswer(_))));
    }
}
