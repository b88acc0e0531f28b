//! `nopickle run`: a Python program with the guard on from its first line.
//!
//! The program takes the place of this process, so its exit status, its signals and its streams are its own.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::args::Run;
use crate::exit;
use crate::output::clean;

/// Prints the folder whose `sitecustomize` enables the guard. The working folder is not searched.
const FOLDER: &str = "import sys; sys.path[:] = [p for p in sys.path if p]; import os, nopickle; \
    print(os.path.join(os.path.dirname(os.path.abspath(nopickle.__file__)), '_run'))";

/// Ends with 0 where the guard is on.
const CHECK: &str = "import sys; guard = sys.modules.get('nopickle.guard'); \
    sys.exit(0 if guard is not None and guard.is_enabled() else 1)";

/// Options of Python that take the next argument.
const WITH_VALUE: [&str; 3] = ["--check-hash-based-pycs", "-W", "-X"];

/// Why a program is not started, and what to do next.
struct Refused {
    why: String,
    hint: &'static str,
}

/// The interpreter that will run the program, and the options that it gets.
#[derive(Debug, PartialEq, Eq)]
struct Interpreter {
    program: PathBuf,
    options: Vec<OsString>,
}

pub(crate) fn run(args: &Run) -> io::Result<u8> {
    let Err(refused) = start(args);
    let mut stderr = io::stderr();
    writeln!(stderr, "error: {}", clean(&refused.why))?;
    writeln!(stderr, "hint: {}", refused.hint)?;
    Ok(exit::UNANSWERED)
}

/// Becomes the program; returns only where it was not started.
fn start(args: &Run) -> Result<std::convert::Infallible, Refused> {
    let Some((name, arguments)) = args.command.split_first() else {
        return Err(not_found(OsStr::new("")));
    };
    let program = find(name).ok_or_else(|| not_found(name))?;
    let interpreter = interpreter(&program, arguments).ok_or_else(|| Refused {
        why: format!(
            "'{}' is neither a Python interpreter nor a script of one, so the guard can't be seen to be on",
            program.display()
        ),
        hint: "name the Python program itself: `nopickle run -- python script.py`",
    })?;
    let folder = folder(&interpreter)?;
    let variables = variables(args, &folder)?;
    check(&interpreter, &variables)?;
    let _ = io::stdout().flush();
    let error = Command::new(&program)
        .arg0(name)
        .args(arguments)
        .envs(variables)
        .exec();
    Err(Refused {
        why: format!("'{}' can't be started: {error}", program.display()),
        hint: "see that the file is there, and that you may run it",
    })
}

fn not_found(name: &OsStr) -> Refused {
    Refused {
        why: format!("'{}' is not found", Path::new(name).display()),
        hint: "give the program as you would start it: `nopickle run -- python script.py`",
    }
}

/// The file that a command names: itself where it is a path, else the first on `PATH`.
fn find(name: &OsStr) -> Option<PathBuf> {
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return runs(&path).then_some(path);
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| runs(path))
}

/// The interpreter of a program: the program itself by its name, or the one of its first line.
fn interpreter(program: &Path, arguments: &[OsString]) -> Option<Interpreter> {
    if is_python(program) {
        return Some(Interpreter {
            program: program.to_owned(),
            options: options(arguments),
        });
    }
    let mut lines = BufReader::new(File::open(program).ok()?.take(4096)).split(b'\n');
    let first = lines.next()?.ok()?;
    let words: Vec<OsString> = first
        .strip_prefix(b"#!")?
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect();
    let (start, rest) = words.split_first()?;
    let named = |words: &[OsString]| {
        let (name, options) = words.split_first()?;
        let program = find(name).filter(|path| is_python(path))?;
        Some(Interpreter {
            program,
            options: options.to_vec(),
        })
    };
    match Path::new(start).file_name()?.to_str()? {
        "env" if rest.first().is_some_and(|word| word == "-S") => named(rest.get(1..)?),
        "env" => named(rest),
        // What pip writes where the first line would be too long: '''exec' "/path/python" "$0" "$@".
        "sh" => {
            let second = lines.next()?.ok()?;
            let path = second.strip_prefix(b"'''exec' ")?;
            let path = match path.strip_prefix(b"\"") {
                Some(quoted) => quoted.split(|byte| *byte == b'"').next()?,
                None => path.split(|byte| *byte == b' ').next()?,
            };
            named(&[OsString::from_vec(path.to_vec())])
        }
        _ => named(&words),
    }
}

/// Whether a path has the name of a Python interpreter.
fn is_python(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_bytes().starts_with(b"python"))
}

/// The options of the interpreter itself, before `-c`, `-m`, `-` or the script.
fn options(arguments: &[OsString]) -> Vec<OsString> {
    let mut found = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_bytes();
        if !bytes.starts_with(b"-") || bytes == b"-" {
            break;
        }
        // Letters may stand together: `-Ic code`, `-um module`.
        let letters = if bytes.starts_with(b"--") { b"" } else { bytes };
        let ends = letters
            .iter()
            .position(|letter| matches!(letter, b'c' | b'm'));
        let value = letters
            .iter()
            .position(|letter| matches!(letter, b'W' | b'X'));
        if let Some(end) = ends.filter(|end| value.is_none_or(|value| value > *end)) {
            if let Some(before) = bytes.get(..end).filter(|before| before.len() > 1) {
                found.push(OsString::from_vec(before.to_vec()));
            }
            break;
        }
        found.push(argument.clone());
        let takes = WITH_VALUE.iter().any(|option| argument == option)
            || value.is_some_and(|value| value + 1 == letters.len());
        if takes && let Some(next) = arguments.next() {
            found.push(next.clone());
        }
    }
    found
}

/// The folder of the interpreter's nopickle that enables the guard.
fn folder(interpreter: &Interpreter) -> Result<OsString, Refused> {
    let hint = "install nopickle for this interpreter: `python -m pip install nopickle`";
    let output = python(interpreter, FOLDER).output();
    let refused = |why: String| Refused {
        why: format!(
            "'{}' can't import nopickle, so the program is not started: {why}",
            interpreter.program.display()
        ),
        hint,
    };
    let output = output.map_err(|error| refused(error.to_string()))?;
    if !output.status.success() {
        return Err(refused(last_line(&output.stderr)));
    }
    let mut line = output.stdout;
    while line
        .last()
        .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
    {
        line.pop();
    }
    let folder = OsString::from_vec(line);
    if !Path::new(&folder).join("sitecustomize.py").is_file() {
        return Err(refused("it has no guard".to_owned()));
    }
    Ok(folder)
}

/// What the program's environment has in addition.
fn variables(args: &Run, folder: &OsStr) -> Result<Vec<(&'static str, OsString)>, Refused> {
    let mut path = folder.to_owned();
    if let Some(before) = env::var_os("PYTHONPATH").filter(|before| !before.is_empty()) {
        path.push(":");
        path.push(before);
    }
    let guard = if args.audit_only { "audit" } else { "refuse" };
    let mut variables = vec![("PYTHONPATH", path), ("NOPICKLE_GUARD", guard.into())];
    if let Some(policy) = &args.policy {
        let policy = policy.canonicalize().map_err(|error| Refused {
            why: format!("the policy '{}' can't be read: {error}", policy.display()),
            hint: "see that the file is there, and that you may read it",
        })?;
        variables.push(("NOPICKLE_POLICY", policy.into()));
    }
    Ok(variables)
}

/// Sees that the guard is on in this interpreter, with these options and this environment.
fn check(interpreter: &Interpreter, variables: &[(&'static str, OsString)]) -> Result<(), Refused> {
    let output = python(interpreter, CHECK)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output();
    let why = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    // The guard itself says why it can't be had.
    let said = why.lines().find_map(|line| line.strip_prefix("error: "));
    Err(match said {
        Some(said) => Refused {
            why: said.to_owned(),
            hint: "see what it names: the switch, the policy, or the nopickle of this interpreter",
        },
        None => Refused {
            why: format!(
                "the guard is not on in '{}', so the program is not started",
                interpreter.program.display()
            ),
            hint: "Python's options -E, -I and -S, and a PYTHONPATH that is set on the way, switch it off",
        },
    })
}

fn python(interpreter: &Interpreter, code: &str) -> Command {
    let mut command = Command::new(&interpreter.program);
    command
        .args(&interpreter.options)
        .args(["-c", code])
        .stdin(Stdio::null());
    command
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().last().unwrap_or("no word of it").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_options_of_an_interpreter_end_where_the_program_starts() {
        for (command, expected) in [
            ("script.py -I", ""),
            ("-m package -I", ""),
            ("-c code -I", ""),
            ("- -I", ""),
            ("-I script.py", "-I"),
            ("-u -X dev -W error script.py", "-u -X dev -W error"),
            ("-Xdev -Werror script.py", "-Xdev -Werror"),
            ("-uX dev script.py", "-uX dev"),
            ("-Ic code", "-I"),
            ("-Xmode script.py", "-Xmode"),
            (
                "--check-hash-based-pycs always -E x.py",
                "--check-hash-based-pycs always -E",
            ),
        ] {
            assert_eq!(options(&words(command)), words(expected), "{command}");
        }
    }

    #[test]
    fn a_script_has_the_interpreter_of_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let python = file("python3.99", "");
        let at = python.display();
        for (text, options) in [
            (format!("#!{at}\n"), Some("")),
            (format!("#! {at} -I\n"), Some("-I")),
            (format!("#!/usr/bin/env {at}\n"), Some("")),
            (format!("#!/usr/bin/env -S {at} -u -E\n"), Some("-u -E")),
            (
                format!("#!/bin/sh\n'''exec' \"{at}\" \"$0\" \"$@\"\n"),
                Some(""),
            ),
            (
                format!("#!/bin/sh\n'''exec' {at} \"$0\" \"$@\"\n"),
                Some(""),
            ),
            (format!("#!/bin/sh\nexec {at} \"$0\"\n"), None),
            ("#!/bin/bash\n".to_owned(), None),
            ("\u{7f}ELF".to_owned(), None),
            (String::new(), None),
        ] {
            let expected = options.map(|options| Interpreter {
                program: python.clone(),
                options: words(options),
            });
            let script = file("script", &text);
            assert_eq!(interpreter(&script, &words("-S")), expected, "{text}");
        }
    }
}
