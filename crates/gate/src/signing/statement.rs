//! The statement of in-toto: each file with its digest.

use std::collections::{BTreeMap, BTreeSet};

use nopickle_formats::archive::relative;
use nopickle_formats::{Error, Limits};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::bundle::{malformed, unsupported};
use super::digest::{self, Hash};
use super::json::{self, Value};

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

/// The path of a model that is one file.
pub(super) const ONE_FILE: &str = ".";

/// A file and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) digest: Vec<u8>,
}

/// What a signer says of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// The name of the model, for people.
    pub(super) name: String,
    pub(super) resources: Vec<Resource>,
    pub(super) hash: Hash,
    /// Paths that the signer left out.
    pub(super) ignored: BTreeSet<String>,
}

/// The digest of all digests.
fn root(resources: &[Resource]) -> String {
    let mut hasher = Sha256::new();
    for resource in resources {
        hasher.update(&resource.digest);
    }
    digest::digits(&hasher.finalize())
}

impl Statement {
    /// The text that is signed.
    pub(super) fn write(&self) -> String {
        let resource = |resource: &Resource| {
            json!({
                "name": resource.name,
                "algorithm": self.hash.name(),
                "digest": digest::digits(&resource.digest),
            })
        };
        let resources: Vec<_> = self.resources.iter().map(resource).collect();
        let mut serialization = json!({
            "method": "files",
            "hash_type": self.hash.name(),
            "allow_symlinks": false,
        });
        if let (false, Some(map)) = (self.ignored.is_empty(), serialization.as_object_mut()) {
            map.insert("ignore_paths".to_owned(), json!(self.ignored));
        }
        json!({
            "_type": STATEMENT_TYPE,
            "subject": [{"name": self.name, "digest": {"sha256": root(&self.resources)}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"serialization": serialization, "resources": resources},
        })
        .to_string()
    }

    /// Reads a statement whose signature was verified. Keys that it does not know are passed over, as in-toto demands.
    pub(super) fn read(
        text: &[u8],
        at: &str,
        is_folder: bool,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let value = json::read(text, at, limits)?;
        let map = value
            .map()
            .ok_or_else(|| malformed(at, "a statement is not an object"))?;
        for (key, known, what) in [
            ("_type", STATEMENT_TYPE, "type of a statement"),
            ("predicateType", PREDICATE_TYPE, "predicate type"),
        ] {
            let found = map.get(key).and_then(Value::text);
            let found = found.ok_or_else(|| malformed(at, "a statement does not say its type"))?;
            if found != known {
                return Err(unsupported(at, what, found));
            }
        }
        let (name, digest) = subject(map.get("subject"), at)?;
        let predicate = map.get("predicate").and_then(Value::map);
        let predicate = predicate.ok_or_else(|| malformed(at, "a statement has no predicate"))?;
        let (hash, ignored) = serialization(predicate.get("serialization"), at)?;
        let resources = resources(predicate.get("resources"), hash, is_folder, at)?;
        if root(&resources) != digest {
            return Err(malformed(
                at,
                "the digest of the subject is not that of its resources",
            ));
        }
        Ok(Self {
            name,
            resources,
            hash,
            ignored,
        })
    }
}

/// The name and the digest of the model.
fn subject(value: Option<&Value>, at: &str) -> Result<(String, String), Error> {
    let list = value.and_then(Value::list).unwrap_or_default();
    let [subject] = list else {
        return Err(malformed(at, "a statement has not exactly one subject"));
    };
    let map = subject.map();
    let name = map.and_then(|map| map.get("name")?.text()).unwrap_or("");
    let digest = map.and_then(|map| map.get("digest")?.map()?.get("sha256")?.text());
    match digest {
        Some(digest) => Ok((name.to_owned(), digest.to_owned())),
        None => Err(malformed(at, "a subject has no digest by sha256")),
    }
}

/// How the files were hashed, and which were left out.
fn serialization(value: Option<&Value>, at: &str) -> Result<(Hash, BTreeSet<String>), Error> {
    let what = "a predicate does not say how files were hashed";
    let map = value
        .and_then(Value::map)
        .ok_or_else(|| malformed(at, what))?;
    let text = |key: &str| map.get(key).and_then(Value::text);
    let method = text("method").ok_or_else(|| malformed(at, what))?;
    if method != "files" {
        return Err(unsupported(at, "method of serialization", method));
    }
    let name = text("hash_type").ok_or_else(|| malformed(at, what))?;
    let hash = Hash::named(name).ok_or_else(|| unsupported(at, "hash function", name))?;
    let mut ignored = BTreeSet::new();
    match map.get("ignore_paths") {
        None | Some(Value::Null) => {}
        Some(Value::List(paths)) => {
            for path in paths {
                let path = path.text();
                let path = path.ok_or_else(|| malformed(at, "a path to ignore is not a text"))?;
                ignored.insert(path.to_owned());
            }
        }
        Some(_) => return Err(malformed(at, "the paths to ignore are not a list")),
    }
    Ok((hash, ignored))
}

fn resources(
    value: Option<&Value>,
    hash: Hash,
    is_folder: bool,
    at: &str,
) -> Result<Vec<Resource>, Error> {
    let what = "a predicate has no list of resources";
    let list = value
        .and_then(Value::list)
        .ok_or_else(|| malformed(at, what))?;
    if list.is_empty() {
        return Err(unsupported(at, "signature", "of no file"));
    }
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut resources = Vec::new();
    for item in list {
        let text = |key: &str| item.map().and_then(|map| map.get(key)?.text());
        let (Some(name), Some(algorithm), Some(digits)) =
            (text("name"), text("algorithm"), text("digest"))
        else {
            return Err(malformed(
                at,
                "a resource has not a name, an algorithm and a digest",
            ));
        };
        if is_folder {
            relative(name)?;
        } else if name != ONE_FILE {
            return Err(malformed(
                at,
                "a resource is not the one file that was signed",
            ));
        }
        if algorithm != hash.name() {
            return Err(malformed(
                at,
                "a resource has another algorithm than its statement",
            ));
        }
        let digest = digest::bytes(digits).filter(|digest| digest.len() == hash.size());
        let Some(digest) = digest else {
            return Err(malformed(
                at,
                "a digest is not as many digits as its algorithm gives",
            ));
        };
        match seen.insert(name.to_lowercase(), name) {
            None => {}
            Some(other) if other == name => {
                return Err(malformed(at, "two resources have one name"));
            }
            Some(_) => return Err(malformed(at, "two resources differ only in case")),
        }
        resources.push(Resource {
            name: name.to_owned(),
            digest,
        });
    }
    Ok(resources)
}
