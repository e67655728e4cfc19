//! Scenario → text: read again, it is the same run.

use super::words::{member_word, time};
use super::{Scenario, settings, verb};

/// The whole file, remarks first.
pub(super) fn write(scenario: &Scenario, remarks: &[String]) -> String {
    let mut lines: Vec<String> = remarks.iter().map(|remark| remark_line(remark)).collect();
    lines.push(format!("seed {}", scenario.params.seed));
    lines.extend(settings::write(&scenario.params));
    for (at, action) in &scenario.actions {
        lines.push(format!("at {} {}", time(*at), verb::write(action)));
    }
    for (trigger, action) in &scenario.triggers {
        lines.push(format!("on {} {}", trigger.word(), verb::write(action)));
    }
    lines.push(format!("run {}", time(scenario.length)));
    lines.extend(scenario.expectations.iter().map(|(_, expectation)| expectation.to_string()));
    if scenario.promises {
        lines.push("must keep every promise".to_owned());
    }
    if let Some(core) = &scenario.rest {
        let members: Vec<&str> = core.iter().map(|place| member_word(*place)).collect();
        lines.push(format!("must rest {}", members.join(" ")));
    }
    lines.join("\n") + "\n"
}

/// What is quoted may hold anything: a remark is one line.
fn remark_line(remark: &str) -> String {
    let plain: String = remark.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("# {plain}")
}
