use std::fs;

use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("code/.git")).unwrap();
    for (name, text) in [
        ("MLmodel", "flavors: {}\n"),
        ("code/a.py", "a = 1\n"),
        ("code/.git/x", "x"),
        ("code-x", ""),
        ("model.skops", "PK"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn key() -> PrivateKey {
    PrivateKey::of_number("P-256", 7)
}

fn signed() -> TempDir {
    let folder = folder();
    sign(folder.path(), &key(), &mut Options::default()).unwrap();
    folder
}

fn public(key: &PrivateKey) -> PublicKey {
    PublicKey::from_pem(key.public().pem(), "a test").unwrap()
}

fn check(model: &Path) -> Result<Verified, Error> {
    verify(model, &[public(&key())], &mut Options::default())
}

fn with_signature(path: &Path) -> Options<'static> {
    Options {
        signature: Some(path.to_owned()),
        ..Options::default()
    }
}

fn reasons(answer: Result<Verified, Error>) -> Vec<(String, Why)> {
    match answer {
        Err(Error::Refused(refused)) => refused
            .reasons
            .into_iter()
            .map(|reason| (reason.file, reason.why))
            .collect(),
        answer => panic!("{answer:?}"),
    }
}

fn one(file: &str, why: Why) -> Vec<(String, Why)> {
    vec![(file.to_owned(), why)]
}

#[test]
fn what_was_signed_verifies_by_its_key_on_each_curve() {
    for curve in ["P-256", "P-384", "P-521"] {
        let folder = folder();
        let key = PrivateKey::of_number(curve, 3);
        let signed = sign(folder.path(), &key, &mut Options::default()).unwrap();
        assert_eq!(signed.signature, folder.path().join("model.sig"));
        let others = ["P-256", "P-384", "P-521"].map(|curve| PrivateKey::of_number(curve, 9));
        let mut keys: Vec<PublicKey> = others.iter().map(public).collect();
        let answer = verify(folder.path(), &keys, &mut Options::default());
        assert_eq!(reasons(answer), one("model.sig", Why::OtherKey), "{curve}");
        keys.push(public(&key));
        let verified = verify(folder.path(), &keys, &mut Options::default()).unwrap();
        assert_eq!(verified.key, key.public().id());
        assert_eq!(key.public().curve(), curve);
        assert_eq!(verified.digests, signed.digests);
        let names: Vec<&str> = verified.digests.keys().map(String::as_str).collect();
        let all = [
            "MLmodel",
            "code-x",
            "code/.git/x",
            "code/a.py",
            "model.skops",
        ];
        assert_eq!(names, all);
    }
}

#[test]
fn the_same_model_and_key_give_the_same_bytes() {
    let folder = signed();
    let first = fs::read(folder.path().join(SIGNATURE)).unwrap();
    sign(folder.path(), &key(), &mut Options::default()).unwrap();
    assert_eq!(fs::read(folder.path().join(SIGNATURE)).unwrap(), first);
}

#[test]
fn each_change_names_its_file() {
    type Change<'c> = (&'c str, &'c dyn Fn(&Path), Vec<(String, Why)>);
    let changes: [Change<'_>; 8] = [
        (
            "a file changes",
            &|folder| fs::write(folder.join("code/a.py"), "a = 2\n").unwrap(),
            one("code/a.py", Why::Changed),
        ),
        (
            "a file grows",
            &|folder| fs::write(folder.join("code-x"), "\0").unwrap(),
            one("code-x", Why::Changed),
        ),
        (
            "a file goes",
            &|folder| fs::remove_file(folder.join("model.skops")).unwrap(),
            one("model.skops", Why::Missing),
        ),
        (
            "a file comes",
            &|folder| fs::write(folder.join("code/b.py"), "").unwrap(),
            one("code/b.py", Why::Added),
        ),
        (
            "a hidden file comes",
            &|folder| fs::write(folder.join("code/.gitignore"), "").unwrap(),
            one("code/.gitignore", Why::Added),
        ),
        (
            "a file is renamed",
            &|folder| fs::rename(folder.join("code-x"), folder.join("code-y")).unwrap(),
            vec![
                ("code-x".to_owned(), Why::Missing),
                ("code-y".to_owned(), Why::Added),
            ],
        ),
        (
            "two files change places",
            &|folder| {
                fs::rename(folder.join("code-x"), folder.join("t")).unwrap();
                fs::rename(folder.join("MLmodel"), folder.join("code-x")).unwrap();
                fs::rename(folder.join("t"), folder.join("MLmodel")).unwrap();
            },
            vec![
                ("MLmodel".to_owned(), Why::Changed),
                ("code-x".to_owned(), Why::Changed),
            ],
        ),
        (
            "a file comes under another case",
            &|folder| fs::write(folder.join("mlmodel"), "").unwrap(),
            one("mlmodel", Why::Folder("two names differ only in case")),
        ),
    ];
    for (what, change, expected) in changes {
        let folder = signed();
        check(folder.path()).unwrap();
        change(folder.path());
        let mut found = reasons(check(folder.path()));
        if let Some((file, Why::Folder(_))) = found.first_mut() {
            *file = file.to_lowercase();
        }
        assert_eq!(found, expected, "{what}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_refused_whatever_it_points_to() {
    use std::os::unix::fs::symlink;
    let link = |name: &str| one(name, Why::Folder("a link stands in the folder"));
    let folder = signed();
    let path = folder.path();
    let copy = tempfile::tempdir().unwrap();
    fs::copy(path.join("MLmodel"), copy.path().join("x")).unwrap();
    fs::remove_file(path.join("MLmodel")).unwrap();
    symlink(copy.path().join("x"), path.join("MLmodel")).unwrap();
    assert_eq!(reasons(check(path)), link("MLmodel"));
    fs::remove_file(path.join("MLmodel")).unwrap();
    fs::copy(copy.path().join("x"), path.join("MLmodel")).unwrap();
    check(path).unwrap();
    symlink("MLmodel", path.join("extra")).unwrap();
    assert_eq!(reasons(check(path)), link("extra"));
    fs::remove_file(path.join("extra")).unwrap();
    // A folder in the place of one, and the signature.
    fs::rename(path.join("code"), copy.path().join("code")).unwrap();
    symlink(copy.path().join("code"), path.join("code")).unwrap();
    assert_eq!(reasons(check(path)), link("code"));
    fs::remove_file(path.join("code")).unwrap();
    fs::rename(copy.path().join("code"), path.join("code")).unwrap();
    fs::rename(path.join(SIGNATURE), copy.path().join(SIGNATURE)).unwrap();
    symlink(copy.path().join(SIGNATURE), path.join(SIGNATURE)).unwrap();
    assert_eq!(reasons(check(path)), link(SIGNATURE));
    let refused = sign(path, &key(), &mut Options::default()).unwrap_err();
    assert!(refused.to_string().contains("through a link"), "{refused}");
}

#[test]
fn an_unsigned_model_is_refused() {
    let folder = folder();
    assert_eq!(
        reasons(check(folder.path())),
        one(SIGNATURE, Why::NotSigned)
    );
    let none = verify(folder.path(), &[], &mut Options::default());
    assert!(matches!(none, Err(Error::Key { .. })));
    let missing = check(&folder.path().join("nothing")).unwrap_err();
    assert!(matches!(
        missing,
        Error::Read(nopickle_formats::Error::Io(_))
    ));
    let empty = tempfile::tempdir().unwrap();
    let nothing = sign(empty.path(), &key(), &mut Options::default()).unwrap_err();
    assert_eq!(nothing.to_string(), "there is no file to sign");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn what_belongs_to_git_is_left_out_at_the_root_alone() {
    let folder = signed();
    fs::create_dir_all(folder.path().join(".git/objects")).unwrap();
    fs::write(folder.path().join(".git/objects/x"), "x").unwrap();
    fs::write(folder.path().join(".gitignore"), "x").unwrap();
    let verified = check(folder.path()).unwrap();
    assert!(
        verified
            .digests
            .keys()
            .all(|name| !name.starts_with(".git"))
    );
    fs::write(folder.path().join(".gitmodules"), "x").unwrap();
    assert_eq!(
        reasons(check(folder.path())),
        one(".gitmodules", Why::Added)
    );
}

#[test]
fn a_signature_may_stand_elsewhere() {
    let folder = folder();
    let away = tempfile::tempdir().unwrap();
    let outside = away.path().join("x.sig");
    sign(folder.path(), &key(), &mut with_signature(&outside)).unwrap();
    let verify_by = |path: &Path| {
        let public = public(&key());
        verify(folder.path(), &[public], &mut with_signature(path))
    };
    verify_by(&outside).unwrap();
    assert_eq!(
        reasons(check(folder.path())),
        one(SIGNATURE, Why::NotSigned)
    );
    let inside = folder.path().join("code/y.sig");
    sign(folder.path(), &key(), &mut with_signature(&inside)).unwrap();
    verify_by(&inside).unwrap();
    assert_eq!(reasons(verify_by(&outside)), one("code/y.sig", Why::Added));
}

#[test]
fn a_model_may_be_one_file() {
    let folder = folder();
    let model = folder.path().join("model.skops");
    let done = sign(&model, &key(), &mut Options::default()).unwrap();
    assert_eq!(done.signature, folder.path().join("model.skops.sig"));
    let verified = check(&model).unwrap();
    assert_eq!(verified.digests.len(), 1);
    assert_eq!(verified.name, "model.skops");
    fs::write(&model, "other").unwrap();
    assert_eq!(reasons(check(&model)), one(".", Why::Changed));
    // The signature of a file is none of a folder.
    let answer = verify(
        folder.path(),
        &[public(&key())],
        &mut with_signature(&done.signature),
    );
    assert!(matches!(answer, Err(Error::Read(_))), "{answer:?}");
}

#[test]
fn progress_is_told_and_may_end_the_work() {
    let folder = signed();
    let mut told = Vec::new();
    let mut progress = |done, total| {
        told.push((done, total));
        Ok(())
    };
    let mut options = Options {
        progress: Some(&mut progress),
        ..Options::default()
    };
    verify(folder.path(), &[public(&key())], &mut options).unwrap();
    assert_eq!(told.last(), Some(&(21, 21)));
    let mut stop = |_, _| Err(io::Error::from(io::ErrorKind::Interrupted));
    let mut options = Options {
        progress: Some(&mut stop),
        ..Options::default()
    };
    assert!(verify(folder.path(), &[public(&key())], &mut options).is_err());
}

#[test]
fn a_key_that_is_not_used_says_why() {
    let public = |text: &str| PublicKey::from_pem(text, "k").unwrap_err().to_string();
    let private = |text: &str, password| {
        let error = PrivateKey::from_pem(text, password, "k").unwrap_err();
        error.to_string()
    };
    let block = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let pem = key().public().pem().to_owned();
    for (found, says) in [
        (public(""), "it holds no such key in PEM"),
        (public(&block("PRIVATE KEY", "AAAA")), "it is a private key"),
        (public(&block("CERTIFICATE", "AAAA")), "it is a certificate"),
        (public(&block("PUBLIC KEY", "AAAA")), "it is not a key on"),
        (public(&pem[..60]), "its PEM is cut short"),
        (public(&format!("{pem}{pem}")), "it holds more than one key"),
        (private(&pem, None), "it holds no such key in PEM"),
        (
            private(&block("PRIVATE KEY", "AAAA"), None),
            "it is not a key on",
        ),
        (
            private(&block("ENCRYPTED PRIVATE KEY", "AAAA"), None),
            "it is encrypted: its password is taken from NOPICKLE_KEY_PASSWORD",
        ),
        (
            private(&block("ENCRYPTED PRIVATE KEY", "AAAA"), Some("x")),
            "its password is another one, or it is damaged",
        ),
        (
            private(&block("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"), None),
            "it is encrypted in OpenSSL's old way",
        ),
        (
            private(&block("EC PRIVATE KEY", "AAAA"), None),
            "it is not a key on",
        ),
    ] {
        assert!(found.starts_with("k: the key is not used: "), "{found}");
        assert!(found.contains(says), "{found}");
    }
    // Ed25519, of RFC 8410.
    let other = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    assert!(public(&block("PUBLIC KEY", other)).contains("it is not a key on"));
}

#[test]
fn no_text_shows_a_private_key() {
    let key = key();
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("PrivateKey({})", key.public().id()));
}

#[test]
fn many_differences_are_counted() {
    let reason = |number: usize| Reason {
        file: format!("{number:02}\n"),
        why: Why::Added,
    };
    let refused = Refused {
        reasons: (0..25).map(reason).collect(),
    };
    let text = refused.to_string();
    assert!(text.starts_with("00\\n: the file was not signed; 01\\n: "));
    assert!(
        text.ends_with("19\\n: the file was not signed; and 5 more"),
        "{text}"
    );
}

#[test]
fn what_no_key_signed_is_not_parsed() {
    let folder = signed();
    let write = |signature: &[u8]| {
        let text = bundle::write(key().public().id(), b"{", signature);
        fs::write(folder.path().join(SIGNATURE), text).unwrap();
    };
    write(&key().sign(&bundle::pae(b"{}")));
    assert_eq!(reasons(check(folder.path())), one(SIGNATURE, Why::NotByKey));
    write(&key().sign(&bundle::pae(b"{")));
    assert!(matches!(check(folder.path()), Err(Error::Read(_))));
}
