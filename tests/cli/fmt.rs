//! `nasc fmt`: files, folders' worth of them, the standard input, and what it leaves alone.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use crate::lab::{Lab, Run};

const UGLY: &str = "nas   1\n\n\n// why\nlet  a=f( 1,2 )//one\ntrain {a:1, b: 80%}\n";
const GOOD: &str = "nas 1\n\n// why\nlet a = f(1, 2)  //one\ntrain { a: 1, b: 80 % }\n";

fn lab() -> Lab {
    let lab = Lab::empty();
    lab.write("ugly.nas", UGLY);
    lab.write("good.nas", GOOD);
    lab
}

fn with_stdin(lab: &Lab, args: &[&str], input: &str) -> Run {
    let mut command = lab.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Run::new(child.wait_with_output().unwrap())
}

#[test]
fn files_are_written_in_their_one_layout() {
    let lab = lab();
    let run = lab.run(&["fmt", "ugly.nas", "good.nas"]).good();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("ugly.nas formatted\n", ""));
    assert_eq!((lab.text("ugly.nas").as_str(), lab.text("good.nas").as_str()), (GOOD, GOOD));
    assert_eq!(lab.run(&["fmt", "ugly.nas"]).good().stdout, "");
    assert_eq!(lab.files().len(), 2, "no temporary file is left");
}

#[test]
fn check_names_what_would_change_and_writes_nothing() {
    let lab = lab();
    let run = lab.run(&["fmt", "--check", "ugly.nas", "good.nas"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stdout.starts_with("ugly.nas would change\n@@ line 1 @@\n-nas   1\n+nas 1\n"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("// why") && !run.stdout.contains("good.nas"), "{}", run.stdout);
    assert_eq!(lab.text("ugly.nas"), UGLY);
    assert_eq!(lab.run(&["fmt", "--check", "good.nas"]).good().stdout, "");
}

#[test]
fn json_says_which_files_changed() {
    let lab = lab();
    let json = lab.run(&["fmt", "--format", "json", "ugly.nas", "good.nas"]).good().json();
    let expected = serde_json::json!({ "files": [
        { "path": "ugly.nas", "changed": true },
        { "path": "good.nas", "changed": false },
    ] });
    assert_eq!(json, expected);
}

#[test]
fn the_standard_input_goes_to_the_standard_output() {
    let lab = lab();
    for args in [&["fmt", "--stdin"], &["fmt", "-"]] {
        assert_eq!(with_stdin(&lab, args, UGLY).good().stdout, GOOD);
    }
    let run = with_stdin(&lab, &["fmt", "--stdin"], "nas 1\nlet a 3\n");
    assert_eq!((run.code, run.stdout.as_str(), run.n_errors()), (Some(1), "", 1));
}

#[test]
fn a_file_with_mistakes_is_not_touched_and_does_not_stop_the_others() {
    let lab = lab();
    lab.write("bad.nas", "nas 1\nlet  a 3\n");
    lab.write("bytes.nas", b"nas 1\n// \xff\n");
    let run = lab.run(&["fmt", "bad.nas", "bytes.nas", "missing.nas", "ugly.nas"]);
    assert_eq!((run.code, run.n_errors()), (Some(1), 3), "{}", run.stderr);
    assert_eq!((lab.text("bad.nas").as_str(), lab.text("ugly.nas").as_str()), ("nas 1\nlet  a 3\n", GOOD));
    assert_eq!(lab.run(&["fmt"]).code, Some(2), "no file is wrong usage");
}

#[test]
fn what_comes_with_nasc_is_formatted() {
    fn collect(folder: &Path, paths: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, paths);
            } else if path.extension().is_some_and(|extension| extension == "nas") {
                paths.push(path.display().to_string());
            }
        }
    }
    let mut paths = Vec::new();
    for folder in ["examples", "stdlib"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut paths);
    }
    paths.sort();
    assert!(paths.len() >= 4);
    let args: Vec<&str> = ["fmt", "--check"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let run = Lab::empty().run(&args);
    assert_eq!(run.code, Some(0), "run `nasc fmt` on these:\n{}{}", run.stdout, run.stderr);
}
