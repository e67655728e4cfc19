//! A browser, driven over two pipes: each command and each answer is JSON that ends with a zero byte.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser of this machine, if it has one.
pub(crate) fn installed() -> Option<&'static str> {
    let programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    programs.into_iter().find(|path| Path::new(path).exists())
}

/// One tab of a browser of its own. Dropping it ends the browser.
#[derive(Debug)]
pub(crate) struct Tab {
    browser: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    session: Option<String>,
    last: u64,
    _profile: tempfile::TempDir,
}

impl Tab {
    /// Starts a browser with a window of this size.
    pub(crate) fn open(program: &str, width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Command::new("/bin/sh")
            // The browser reads commands from 3 and answers on 4.
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", program])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--disable-dev-shm-usage", "--remote-debugging-pipe"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = browser.stdin.take().unwrap();
        let out = BufReader::new(browser.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for answer in out.split(0).map_while(Result::ok) {
                let Ok(answer) = serde_json::from_slice(&answer) else { continue };
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        let mut tab =
            Self { browser, commands, answers, session: None, last: 0, _profile: profile };
        let blank = json!({ "url": "about:blank" });
        let target = tab.call("Target.createTarget", blank)["targetId"].clone();
        let attached = json!({ "targetId": target, "flatten": true });
        let session = tab.call("Target.attachToTarget", attached)["sessionId"].clone();
        tab.session = session.as_str().map(str::to_owned);
        tab.call("Page.enable", json!({}));
        let exact =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        tab.call("Emulation.setDeviceMetricsOverride", exact);
        tab
    }

    /// Calls a method and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&command).unwrap();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let answer = answer.unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Goes to a file and waits until its hook stands.
    pub(crate) fn load(&mut self, path: &Path) {
        // The hook of a page from before is no sign of the new one.
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.call("Page.navigate", json!({ "url": format!("file://{}", path.display()) }));
        crate::process::until(PATIENCE, || {
            let there = self.value("document.readyState === 'complete' && !!window.biplane");
            if there == json!(true) { Ok(()) } else { Err("the page has no hook".to_owned()) }
        });
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64), more: Value) {
        let mut event = json!({ "type": kind, "x": x, "y": y });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("Input.dispatchMouseEvent", event);
    }

    /// A click at a place of the window.
    pub(crate) fn click(&mut self, at: (f64, f64)) {
        self.mouse("mouseMoved", at, json!({}));
        let left = json!({ "button": "left", "clickCount": 1 });
        self.mouse("mousePressed", at, left.clone());
        self.mouse("mouseReleased", at, left);
    }

    /// A click on an element.
    pub(crate) fn click_on(&mut self, id: &str) {
        let place = self.value(&format!(
            "(() => {{ const r = document.getElementById('{id}').getBoundingClientRect(); \
             return [r.left + r.width / 2, r.top + r.height / 2]; }})()"
        ));
        self.click((place[0].as_f64().unwrap(), place[1].as_f64().unwrap()));
    }

    /// A turn of the wheel, away from the hand where it is negative.
    pub(crate) fn wheel(&mut self, at: (f64, f64), by: f64) {
        self.mouse("mouseWheel", at, json!({ "deltaX": 0, "deltaY": by }));
    }

    /// Moves the pointer.
    pub(crate) fn point(&mut self, at: (f64, f64)) {
        self.mouse("mouseMoved", at, json!({}));
    }

    /// Writes into what has the focus.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" {
                let text = if key == "Enter" { "\r" } else { key };
                event["text"] = json!(if text.len() == 1 { text } else { "" });
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // A browser that leaves by itself takes its processes with it; a kill is for one that does not.
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        for _ in 0..500 {
            if matches!(self.browser.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
