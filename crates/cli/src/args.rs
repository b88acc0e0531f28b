//! What may stand on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use nopickle_formats::{Limits, Policy as Names};
use nopickle_gate::Policy;

use crate::report::Form;

const STATUS: &str = "Exit status:
  0  trusted and verified
  1  refused: an untrusted name, or a value that native code must not see
  2  could not answer: damaged, unsupported, over a limit, not readable; or wrong arguments";

const INSPECT: &str = "Exit status:
  0  trusted and verified
  1  refused: an untrusted name, or a value that native code must not see (and shown)
  2  could not answer: damaged, unsupported, over a limit, not readable; or --no-arrays, or
     wrong arguments

Examples:
  nopickle inspect model.skops
  nopickle inspect model.skops --depth 2
  nopickle inspect model.skops --trust mypackage.features.WeekdayEncoder
  nopickle inspect model.skops --html --output model.html
  nopickle inspect mlflow_model/
  nopickle inspect model.skops --json | jq '.names[] | select(.trust == null)'";

const AUDIT: &str = "Exit status:
  0  all are trusted and verified
  1  at least one is refused, and all others were answered
  2  at least one could not be answered, or no model was found; or wrong arguments

Examples:
  nopickle audit model.skops
  nopickle audit incoming/ --quiet
  nopickle audit incoming/ --trust mypackage.features.WeekdayEncoder
  nopickle audit incoming/ --sarif --output audit.sarif
  nopickle audit incoming/ --json | jq -r '.files[] | select(.answer == \"refused\") | .file'";

const SUPPORT: &str = "Examples:
  nopickle support
  nopickle support --names | grep ^scipy.
  nopickle support --json | jq -r '.verified_classes[]'";

const POLICY: &str = "Exit status:
  0  well formed (check); all that the model asks for is granted (explain); printed (init)
  1  the file breaks a rule (check); something is refused (explain)
  2  could not answer: not readable, damaged, unsupported; or wrong arguments

Examples:
  nopickle policy check policy.toml
  nopickle policy explain model --policy policy.toml
  nopickle policy init model >> policy.toml
  nopickle policy explain model.skops --json | jq -r '.names[] | select(.granted | not) | .policy'";

const RUNS: &str = "Exit status:
  0  done
  2  could not answer: no store, no such run, the server is down; or wrong arguments

Examples:
  nopickle runs
  nopickle runs --filter \"metrics.accuracy > 0.9\" --order-by \"metrics.accuracy DESC\"
  nopickle runs show 6f1c0b7e5a3d4d0f9b2f8f1f0a5f7c11
  nopickle runs --json | jq -r '.runs[].info.run_id'";

const MODELS: &str = "Exit status:
  0  done
  2  could not answer: no store, no such model, the server is down; or wrong arguments

Examples:
  nopickle models
  nopickle models show iris
  nopickle models --json | jq -r '.logged[].info.model_id'";

const PUSH: &str = "The login is taken from MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
The experiment of the same name is made where it is not there. Registered models are not copied.

Exit status:
  0  everything is there
  2  it is not: the run at the server is FAILED where it was made; or wrong arguments

Examples:
  nopickle push 6f1c0b7e5a3d4d0f9b2f8f1f0a5f7c11 --to http://localhost:5000";

const RUN: &str = "With MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false nothing that a pickle names is imported or called,
but plain data and what the policy grants; with it unset or true the names are logged.

Exit status:
  that of the program
  2  it was not started: the interpreter can't import nopickle, or ignores its environment; or
     wrong arguments

Examples:
  nopickle run -- python train.py --epochs 3
  nopickle run -- mlflow models serve -m models:/iris/1 --env-manager local
  nopickle run --audit-only -- python -m pytest";
const SIGN: &str = "The password of an encrypted key is taken from NOPICKLE_KEY_PASSWORD.
Left out are the signature itself and, at the root of a folder, .git, .gitattributes, .github and .gitignore.

Exit status:
  0  signed
  2  could not answer: the model or the key could not be read; or wrong arguments

Examples:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
  openssl pkey -in key.pem -pubout -out key.pub.pem
  nopickle sign model/ --key key.pem";

const VERIFY: &str = "Exit status:
  0  the model is what one of the keys signed
  1  refused: not signed, signed by another key, or a file was changed, added, removed, renamed or is a link
  2  could not answer: the model, its signature, a key or the policy could not be read, or the policy has no
     key; or wrong arguments

Examples:
  nopickle verify model/ --key key.pub.pem
  nopickle verify model.skops --key alice.pub.pem --key bob.pub.pem
  nopickle verify model/ --policy policy.toml
  nopickle verify model/ --key key.pub.pem --json | jq -r '.reasons[].file'";

/// Looks into machine-learning models, and says whether they would load, without running anything that
/// stands in them; lists the runs and models of a store.
#[derive(Debug, Parser)]
#[command(name = "nopickle", bin_name = "nopickle", version, after_help = STATUS, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Inspect(Inspect),
    Audit(Audit),
    Support(Support),
    Policy(PolicyArgs),
    Run(Run),
    Runs(Runs),
    Models(Models),
    Push(Push),
    Sign(Sign),
    Verify(Verify),
}

/// Start a Python program with the guard on: its unpicklers resolve what the policy grants, and nothing else
#[derive(Debug, clap::Args)]
#[command(after_help = RUN)]
pub(crate) struct Run {
    /// The policy file [default: `NOPICKLE_POLICY`]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Log what would be refused, and refuse nothing
    #[arg(long)]
    pub(crate) audit_only: bool,
    /// The program and its arguments
    #[arg(
        required = true,
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<OsString>,
}

impl Command {
    /// Reads the policy that a command decides by.
    pub(crate) fn decide(&mut self) -> Result<(), nopickle_gate::Error> {
        let (trust, limits) = match self {
            Self::Inspect(args) => (&mut args.trust, &mut args.limits),
            Self::Audit(args) => (&mut args.trust, &mut args.limits),
            Self::Policy(args) => match &mut args.command {
                PolicyCommand::Check(_) => return Ok(()),
                PolicyCommand::Explain(args) => (&mut args.trust, &mut args.limits),
                PolicyCommand::Init(args) => (&mut args.trust, &mut args.limits),
            },
            _ => return Ok(()),
        };
        trust.decide()?;
        limits.decide(&trust.policy);
        Ok(())
    }
}

/// Check a policy file, explain what it decides about a model, or begin one
#[derive(Debug, clap::Args)]
#[command(after_help = POLICY)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    Check(PolicyCheck),
    Explain(PolicyExplain),
    Init(PolicyInit),
}

/// Say whether a policy file is well formed, and what in it may not be meant
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyCheck {
    /// The policy, a TOML file
    pub(crate) file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show what a model asks for, what of it is granted, and by which rule
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyExplain {
    /// A model, or an MLflow model folder
    pub(crate) model: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// Print a policy with the entries that a model would need, each with a reason to fill in
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyInit {
    /// A model, or an MLflow model folder
    pub(crate) model: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// The store to look into.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArg {
    /// A folder, `sqlite:///PATH`, or an MLflow server [default: `MLFLOW_TRACKING_URI`, else `NOPICKLE_HOME`,
    /// else the working folder]
    #[arg(long = "store", value_name = "URI", global = true)]
    pub(crate) uri: Option<String>,
}

/// List runs, or show one
#[derive(Debug, clap::Args)]
#[command(after_help = RUNS, args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
    #[command(flatten)]
    pub(crate) list: RunsList,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, the newest first
    List(RunsList),
    /// Show a run: its parameters, latest metrics, tags, models and artifacts
    Show(Show),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunsList {
    /// Only runs of the experiment with this name; may be given again
    #[arg(long = "experiment", value_name = "NAME")]
    pub(crate) experiments: Vec<String>,
    /// Only runs that this lets through, in MLflow's words, such as "metrics.loss < 0.1"
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) filter: String,
    /// Order by this, such as "metrics.loss DESC"; may be given again
    #[arg(long, value_name = "NAME")]
    pub(crate) order_by: Vec<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(crate) max: u32,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) store: StoreArg,
    #[command(flatten)]
    pub(crate) colour: Colour,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// Its ID, or the name of a registered model
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) store: StoreArg,
    #[command(flatten)]
    pub(crate) colour: Colour,
}

/// List logged and registered models, or show one
#[derive(Debug, clap::Args)]
#[command(after_help = MODELS, args_conflicts_with_subcommands = true)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,
    #[command(flatten)]
    pub(crate) list: ModelsList,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// List registered models with their versions, and logged models, the newest first
    List(ModelsList),
    /// Show a logged model (m-...) or a registered one (its name)
    Show(Show),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ModelsList {
    /// At most so many of each
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) max: u32,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) store: StoreArg,
    #[command(flatten)]
    pub(crate) colour: Colour,
}

/// Copy a run with its metrics, parameters, tags, artifacts and models to an MLflow server
#[derive(Debug, clap::Args)]
#[command(after_help = PUSH)]
pub(crate) struct Push {
    /// The run
    #[arg(value_name = "RUN_ID")]
    pub(crate) run_id: String,
    /// Where to: http://HOST:PORT of an MLflow tracking server, or another store
    #[arg(long, value_name = "URI")]
    pub(crate) to: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// Sign a model: a folder or a file, by the format of OpenSSF Model Signing
#[derive(Debug, clap::Args)]
#[command(after_help = SIGN)]
pub(crate) struct Sign {
    /// The model: a folder, or one file
    pub(crate) model: PathBuf,
    /// The private key: ECDSA on P-256, P-384 or P-521, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Where to write the signature [default: model.sig in the folder; for a file, its name with .sig behind it]
    #[arg(long, value_name = "PATH")]
    pub(crate) signature: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say whether a model is what a key signed: every file of it, and no other
#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY)]
pub(crate) struct Verify {
    /// The model: a folder, or one file
    pub(crate) model: PathBuf,
    /// A public key in PEM; may be given again: one of them must have signed the model
    #[arg(
        long = "key",
        value_name = "FILE",
        required_unless_present = "policy",
        conflicts_with = "policy"
    )]
    pub(crate) keys: Vec<PathBuf>,
    /// A policy file: one of its keys that hold today must have signed the model
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Where the signature is [default: model.sig in the folder; for a file, its name with .sig behind it]
    #[arg(long, value_name = "PATH")]
    pub(crate) signature: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show what is in a model: its objects, names and arrays, what is trusted, verified or refused, and why
#[derive(Debug, clap::Args)]
#[command(after_help = INSPECT)]
pub(crate) struct Inspect {
    /// The model: a .skops file, a booster in its own format, or an MLflow model folder
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    /// Show objects down to this depth only; 0 is the model itself
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// Show all items of long lists and dicts, all names and whole texts
    #[arg(long)]
    pub(crate) all: bool,
    /// Read schema.json of skops alone: no types and shapes of arrays, and nothing is verified
    #[arg(long)]
    pub(crate) no_arrays: bool,
    #[command(flatten)]
    pub(crate) colour: Colour,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// Say whether models would load: one line for each file
#[derive(Debug, clap::Args)]
#[command(after_help = AUDIT)]
pub(crate) struct Audit {
    /// Models, MLflow model folders, and folders to walk; links in folders are not followed, files that are no models are
    /// counted
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    /// Print only files that are refused or could not be answered; no hints, no summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) colour: Colour,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// List what is read, verified and trusted
#[derive(Debug, clap::Args)]
#[command(after_help = SUPPORT)]
pub(crate) struct Support {
    /// Print every name that is trusted by default, with what it is trusted for: value, instance or call
    #[arg(long)]
    pub(crate) names: bool,
    /// Print one JSON document; with --names it holds the names
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the answer is written, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct FormArgs {
    /// Print one JSON document: docs/formats/audit.schema.json, inspect.schema.json
    #[arg(long, conflicts_with_all = ["sarif", "html"])]
    json: bool,
    /// Print what was found as SARIF 2.1.0
    #[arg(long, conflicts_with = "html")]
    sarif: bool,
    /// Print one HTML page that needs no network and no script
    #[arg(long)]
    html: bool,
    /// Write the answer to this file; it stands there whole or not at all
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

impl FormArgs {
    pub(crate) fn form(&self) -> Form {
        match self {
            Self { json: true, .. } => Form::Json,
            Self { sarif: true, .. } => Form::Sarif,
            Self { html: true, .. } => Form::Html,
            Self { .. } => Form::Text,
        }
    }
}

/// When to use colour.
#[derive(Debug, clap::Args)]
pub(crate) struct Colour {
    /// Colour the output; auto: where it is a terminal, and `NO_COLOR` is not set
    #[arg(long = "color", value_name = "WHEN", default_value = "auto")]
    pub(crate) when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

/// What is trusted beside the default list.
#[derive(Debug, clap::Args)]
pub(crate) struct Trust {
    /// Trust this class or function too, for everything that a model can do with it; may be given again
    #[arg(long = "trust", value_name = "NAME", value_parser = name)]
    names: Vec<String>,
    /// Decide by this policy file [default: `NOPICKLE_POLICY`]
    #[arg(long = "policy", value_name = "FILE")]
    policy_file: Option<PathBuf>,
    #[arg(skip)]
    policy: Policy,
}

impl Trust {
    /// Reads the policy, before anything is decided by it.
    fn decide(&mut self) -> Result<(), nopickle_gate::Error> {
        self.policy = Policy::of_process(self.policy_file.as_deref())?;
        self.policy.add(self.names.iter().cloned());
        Ok(())
    }

    /// The names that are granted.
    pub(crate) fn policy(&self) -> Names {
        self.policy.to_names()
    }

    /// The policy, with the limits of the command.
    pub(crate) fn decided(&self, limits: &LimitArgs) -> Policy {
        let mut policy = self.policy.clone();
        *policy.limits_mut() = limits.limits();
        policy
    }
}

/// What one model may cost.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits for each model")]
pub(crate) struct LimitArgs {
    /// Bytes that compressed entries may inflate to, such as 500M or 8G [default: 8G]
    #[arg(long = "max-inflated", value_name = "SIZE", value_parser = size)]
    inflated: Option<u64>,
    /// Bytes of arrays, which are held in memory while they are verified [default: 256G]
    #[arg(long = "max-arrays", value_name = "SIZE", value_parser = size)]
    arrays: Option<u64>,
    /// Bytes of schema.json [default: 2G]
    #[arg(long = "max-schema", value_name = "SIZE", value_parser = size)]
    schema: Option<u64>,
    /// Objects in the model [default: 200000000]
    #[arg(long = "max-nodes", value_name = "N")]
    nodes: Option<u64>,
    #[arg(skip)]
    base: Limits,
    /// Whether the command can raise what the policy says.
    #[arg(skip)]
    raises: bool,
}

impl LimitArgs {
    /// Starts from the limits of a policy.
    fn decide(&mut self, policy: &Policy) {
        self.base = policy.limits().clone();
        self.raises = policy.extends();
    }

    pub(crate) fn limits(&self) -> Limits {
        let mut limits = self.base.clone();
        for (given, limit) in [
            (self.inflated, &mut limits.inflated_bytes),
            (self.arrays, &mut limits.array_bytes),
            (self.schema, &mut limits.schema_bytes),
            (self.nodes, &mut limits.nodes),
        ] {
            if let Some(given) = given.filter(|given| self.raises || given < limit) {
                *limit = given;
            }
        }
        limits
    }
}

/// A number of bytes, with K, M, G or T for 1024 to the power of 1, 2, 3 or 4.
fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        Some(b't' | b'T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| {
        "a size is a whole number of bytes, or one with K, M, G or T behind it".to_owned()
    })?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "the size is too large".to_owned())
}

/// A name as files have it: `module.qualname`.
fn name(text: &str) -> Result<String, String> {
    let parts = text.split('.');
    if parts.clone().count() < 2
        || parts
            .clone()
            .any(|part| part.is_empty() || part.contains(char::is_whitespace))
    {
        return Err(
            "a name is a module and a class or function, such as mypackage.features.Encoder"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn sizes_are_numbers_of_bytes() {
        assert_eq!(size("17"), Ok(17));
        assert_eq!(size("3k"), Ok(3 << 10));
        assert_eq!(size("8G"), Ok(8 << 30));
        for text in ["", "G", "-1", "1.5G", "8 G", "8GB", "99999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_defaults_in_the_help_are_those_of_the_limits() {
        let limits = Limits::default();
        let help = Args::command()
            .find_subcommand_mut("audit")
            .unwrap()
            .render_long_help()
            .to_string();
        for (option, default) in [
            (
                "--max-inflated",
                format!("{}G", limits.inflated_bytes >> 30),
            ),
            ("--max-arrays", format!("{}G", limits.array_bytes >> 30)),
            ("--max-schema", format!("{}G", limits.schema_bytes >> 30)),
            ("--max-nodes", limits.nodes.to_string()),
        ] {
            let (_, after) = help.split_once(option).unwrap();
            let (_, after) = after.split_once("[default: ").unwrap();
            assert_eq!(after.split_once(']').unwrap().0, default, "{option}");
        }
    }

    #[test]
    fn a_name_has_a_module() {
        assert!(name("mypackage.features.Encoder").is_ok());
        for text in ["Encoder", "", ".Encoder", "a..b", "a.b c"] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
