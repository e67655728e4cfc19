//! Checks of kind `prometheus`, against answers of every shape. The real one is asked by whole nodes.

use super::*;
use crate::kernel::domain::{Decimal, PrometheusProbe};

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::try_from(text.to_owned()).ok()
}

fn query(above: &str, below: &str) -> PrometheusProbe {
    PrometheusProbe {
        query: "sum(rate(x[1m])) / 2 > 0".to_owned(),
        above: decimal(above),
        below: decimal(below),
        path: "/api/v1/query".to_owned(),
        host: String::new(),
        tls: false,
        tls_verify: false,
    }
}

/// A server that gives this result.
async fn giving(kind: &str, result: &str) -> SocketAddr {
    let body =
        format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#);
    server(ok_with(&body)).await
}

#[tokio::test]
async fn the_query_is_asked_letter_for_letter() {
    let (listener, address) = listen().await;
    let mut probing = probing();
    probing.start(at(address), ProbeKind::Prometheus(query("0", "")));
    let (mut stream, _) = listener.accept().await.expect("a probe");
    let request = read_request(&mut stream).await;
    let line =
        "GET /api/v1/query?query=sum%28rate%28x%5B1m%5D%29%29%20%2F%202%20%3E%200 HTTP/1.1\r\n";
    assert!(request.starts_with(line), "{request}");
    let body = r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"1"]}}"#;
    stream.write_all(ok_with(body).as_bytes()).await.expect("answers");
    let result = probing.result().await;
    assert_eq!(result.outcome, Ok(()));
    assert!(result.timings.first_byte > Duration::ZERO);
}

#[tokio::test]
async fn every_sample_is_held_against_the_bounds() {
    let mut probing = probing();
    let mut said = async |kind: &str, result: &str, above: &str, below: &str| {
        let probe = ProbeKind::Prometheus(query(above, below));
        let outcome = probing.ask(giving(kind, result).await, probe).await;
        outcome.map_or_else(|fault| fault.to_string(), |()| "passed".to_owned())
    };
    assert_eq!(said("scalar", r#"[1,"0.951"]"#, "0.95", "").await, "passed");
    let equal = said("scalar", r#"[1,"0.95"]"#, "0.95", "").await;
    assert_eq!(equal, "wrong answer: the query is 0.95, not above 0.95");
    assert_eq!(said("scalar", r#"[1,"1e-7"]"#, "0", "0.000001").await, "passed");
    let both = said("scalar", r#"[1,"7"]"#, "-1.5", "6").await;
    assert_eq!(both, "wrong answer: the query is 7, not above -1.5 and below 6");
    for number in ["NaN", "a", ""] {
        let odd = said("scalar", &format!(r#"[1,"{number}"]"#), "", "5").await;
        assert_eq!(odd, format!("wrong answer: the query is {number}, not below 5"));
    }
    let infinite = said("scalar", r#"[1,"+Inf"]"#, "5", "").await;
    assert_eq!(infinite, "passed");

    let two = r#"[{"metric":{"__name__":"up","job":"web"},"value":[1,"1"]},
                  {"metric":{"job":"db"},"value":[1,"0"]}]"#;
    assert_eq!(said("vector", two, "-1", "").await, "passed");
    let one = said("vector", two, "0", "").await;
    assert_eq!(one, "wrong answer: {job=\"db\"} is 0, not above 0 (1 of 2 samples)");
    let none = said("vector", two, "", "-3").await;
    assert_eq!(none, "wrong answer: up{job=\"web\"} is 1, not below -3 (2 of 2 samples)");
    let empty = said("vector", "[]", "0", "").await;
    let nothing =
        "wrong answer: the query has no result: there is nothing to hold against its bound";
    assert_eq!(empty, nothing);
    let histogram = said("vector", r#"[{"metric":{},"histogram":[1,{}]}]"#, "0", "").await;
    assert_eq!(histogram, "wrong answer: the query is a histogram, not above 0");
    let matrix = said("matrix", "[]", "0", "").await;
    assert!(matrix.contains("the query gives a matrix, not a scalar"), "{matrix}");
}

#[tokio::test]
async fn a_query_that_it_cannot_read_says_nothing_about_the_target() {
    let refusal = r#"{"status":"error","errorType":"bad_data","error":"1:3: parse error"}"#;
    let refusal = format!("HTTP/1.1 400 Bad\r\ncontent-length: {}\r\n\r\n{refusal}", refusal.len());
    let address = server(refusal).await;
    let outcome = probing().ask(address, ProbeKind::Prometheus(query("0", ""))).await;
    let why = "Prometheus cannot read the query: 1:3: parse error".to_owned();
    assert_eq!(outcome, Err(ProbeFault::NotProbed(why)));
}

#[tokio::test]
async fn what_is_no_answer_of_a_prometheus_is_bounded_and_named() {
    let mut probing = probing();
    let kind = || ProbeKind::Prometheus(query("0", ""));
    let busy = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    let busy = format!("HTTP/1.1 503 Busy\r\ncontent-length: {}\r\n\r\n{busy}", busy.len());
    let deep = "[".repeat(60_000);
    let cases = [
        (busy, "status 503, error: timeout: query timed out"),
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nno".to_owned(),
            "status 502, not 200",
        ),
        (ok_with("<html>"), "no answer of a Prometheus: "),
        (ok_with("{}"), "no answer of a Prometheus: "),
        (ok_with(&deep), "no answer of a Prometheus: "),
        (ok_with(r#"{"status":"success"}"#), "status 200, success: "),
        (ok_with(&" ".repeat(70_000)), "more than 64 KiB of samples: let the query sum them up"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(), "no HTTP answer: "),
    ];
    for (answer, words) in cases {
        let address = server(answer).await;
        let said = wrong(probing.ask(address, kind()).await);
        assert!(said.starts_with(words), "{said}");
    }
    let (listener, address) = listen().await;
    probing.start(at(address), kind());
    let (mut stream, _) = listener.accept().await.expect("a probe");
    let flood = tokio::spawn(async move {
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.expect("writes");
        while stream.write_all(b"4\r\n1234\r\n").await.is_ok() {}
    });
    let said = wrong(probing.result().await.outcome);
    assert!(said.starts_with("more than 64 KiB"), "{said}");
    let ended = tokio::time::timeout(Duration::from_secs(5), flood).await;
    assert!(ended.is_ok(), "the probe's socket was closed");
}
