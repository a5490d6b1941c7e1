//! What the crate is made of: lessons about dependencies, read from `Cargo.toml`, `Cargo.lock` and the sources themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn manifest() -> String {
    fs::read_to_string(root().join("Cargo.toml")).unwrap()
}

/// The lines of `[dependencies]` by name.
fn dependencies() -> BTreeMap<String, String> {
    let text = manifest();
    let section = text.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let lines = section.lines().filter_map(|line| line.split_once(" = "));
    lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
}

/// Every package that is built into the crate, not those of its tests: name to versions.
fn built_in() -> BTreeMap<String, BTreeSet<Vec<u64>>> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    // Name and version, and what it needs: a name, with the version behind it where there are several.
    let packages: Vec<(&str, &str, Vec<&str>)> = lock
        .split("[[package]]")
        .skip(1)
        .map(|package| {
            let field =
                |name: &str| package.split(name).nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap();
            let needs =
                package.split("dependencies = [").nth(1).map_or("", |rest| rest.split(']').next().unwrap());
            (field("name = "), field("version = "), needs.split('"').skip(1).step_by(2).collect())
        })
        .collect();
    let find = |need: &str| {
        let (name, version) =
            need.split_once(' ').map_or((need, None), |(name, version)| (name, Some(version)));
        let fits = |(of, is, _): &&(&str, &str, Vec<&str>)| {
            *of == name && version.is_none_or(|wanted| *is == wanted)
        };
        packages.iter().find(fits).unwrap().clone()
    };
    // Of proof tools, and behind features that nobody turns on: the lock file names them, no build has them. Of `rand` the KEM's library takes its traits.
    let never = |of: &str, need: &str| {
        ["hax-lib", "crabgrind", "core-models"].contains(&need) || of == "rand" && need != "rand_core"
    };
    let named = dependencies();
    let (_, _, needs) = find("outrigger");
    let mut open: Vec<&str> =
        needs.into_iter().filter(|need| named.contains_key(need.split(' ').next().unwrap())).collect();
    let mut built: BTreeMap<String, BTreeSet<Vec<u64>>> = BTreeMap::new();
    while let Some(need) = open.pop() {
        let (name, version, needs) = find(need);
        let numbers = version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect();
        if built.entry(name.to_owned()).or_default().insert(numbers) {
            let bare = |need: &str| need.split(' ').next().unwrap().to_owned();
            open.extend(needs.into_iter().filter(|need| !never(name, &bare(need))));
        }
    }
    built
}

fn at_least(name: &str, floor: &[u64]) {
    for version in &built_in()[name] {
        assert!(version.as_slice() >= floor, "{name} {version:?} is below {floor:?}");
    }
}

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(&root().join("src"), &mut found);
    assert!(found.len() > 40);
    found
}

/// Lines of code, without comments, that hold a word.
fn lines_with(word: &str) -> Vec<(PathBuf, String)> {
    let mut lines = Vec::new();
    for (path, text) in all_sources() {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.extend(code.filter(|line| line.contains(word)).map(|line| (path.clone(), line.to_owned())));
    }
    lines
}

#[test]
fn the_lock_file_is_read_right() {
    let built = built_in();
    for name in ["aes-gcm", "ghash", "curve25519-dalek", "subtle", "zeroize", "prost"] {
        assert!(built.contains_key(name), "{name}");
    }
    for name in ["proptest", "criterion", "rusqlite", "serde_json"] {
        assert!(!built.contains_key(name), "{name} is of the tests");
    }
}

#[test]
fn l16_l23_versions_are_above_their_floors() {
    at_least("aes-gcm", &[0, 10, 3]);
    at_least("curve25519-dalek", &[4, 1, 3]);
    at_least("ed25519-dalek", &[2]);
    at_least("prost", &[0, 6, 1]);
    at_least("zeroize_derive", &[1, 1, 1]);
    for (name, line) in dependencies() {
        assert!(line.contains("default-features = false"), "{name}: features are named, not inherited");
    }
}

#[test]
fn l20_no_retired_cryptography_is_built_in() {
    let built = built_in();
    for banned in ["olm-sys", "openssl", "ring", "getrandom"] {
        assert!(!built.contains_key(banned), "{banned}");
    }
    // Constant-time AES: hardware or fixsliced, which is what the `aes` crate has been since 0.7.
    at_least("aes", &[0, 7]);
}

/// One implementation of ML-KEM, pinned, and none of those that divide by a secret.
#[test]
fn l24_ml_kem_is_one_pinned_library() {
    let built = built_in();
    for banned in ["pqc_kyber", "pqcrypto-kyber", "pqcrypto-mlkem", "ml-kem", "kyberlib", "safe_pqc_kyber"] {
        assert!(!built.contains_key(banned), "{banned}");
    }
    assert!(dependencies()["libcrux-ml-kem"].contains("version = \"=0."), "its patch numbers break");
}

/// Of that library's family nothing is used but the KEM, and none of it is as old as what was wrong.
#[test]
fn l25_l26_the_family_of_the_kem_is_above_its_floors() {
    at_least("libcrux-intrinsics", &[0, 0, 4]);
    at_least("libcrux-secrets", &[0, 0, 6]);
    at_least("libcrux-sha3", &[0, 0, 10]);
    let direct: Vec<_> = dependencies().into_keys().filter(|name| name.contains("libcrux")).collect();
    assert_eq!(direct, ["libcrux-ml-kem"]);
    for (file, _) in lines_with("libcrux_") {
        assert!(file.ends_with("kem/ml_kem.rs"), "{file:?}");
    }
}

/// Where proofs end stands in the page on security: what is proved of the KEM, by whom, and what is not.
#[test]
fn l27_the_page_says_what_is_proved_and_what_is_not() {
    let page = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    for word in ["ML-KEM", "libcrux", "is not proved", "wipes nothing", "ratchet"] {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn l21_no_general_base64_reaches_a_secret() {
    // One crate encodes, without tables and branches that a secret steers, and in one file: the code on a companion's screen holds a secret.
    for name in built_in().keys().filter(|name| *name != "base64ct") {
        assert!(!name.contains("base64") && !name.contains("base-64") && name != "hex", "{name}");
    }
    for (file, _) in lines_with("base64") {
        assert!(file.ends_with("link/invitation.rs"), "{file:?}");
    }
}

#[test]
fn l22_wiping_is_not_optional() {
    let dependencies = dependencies();
    for name in ["aes-gcm", "curve25519-dalek", "ed25519-dalek", "hmac", "sha2", "x25519-dalek"] {
        assert!(dependencies[name].contains("\"zeroize\""), "{name}");
    }
    assert!(!dependencies["zeroize"].contains("optional"));
    let optional: Vec<_> =
        manifest().lines().filter(|line| line.contains("optional = true")).map(str::to_owned).collect();
    assert!(matches!(&optional[..], [line] if line.starts_with("libcrux-ml-kem = ")), "{optional:?}");
}

/// No function of the public API takes both halves of a key, and the doors that let one in are not used.
#[test]
fn l28_no_function_takes_both_halves_of_a_key() {
    assert_eq!(lines_with("hazmat"), []);
    assert_eq!(lines_with("raw_sign"), []);
    let takes_both: Vec<_> = lines_with("pub fn")
        .into_iter()
        .filter(|(_, line)| {
            let line = line.to_lowercase();
            line.contains("private") && line.contains("public")
        })
        .collect();
    assert_eq!(takes_both, []);
}

/// Comparisons of secrets are the named crates'; the crate's own secret types have no `==`, and no table is indexed by a secret.
#[test]
fn l20_l23_no_secret_type_derives_a_comparison() {
    for (path, text) in all_sources() {
        let lines: Vec<_> = text.lines().collect();
        for pair in lines.windows(2) {
            let [derive, item] = pair else { continue };
            if derive.contains("ZeroizeOnDrop") && derive.contains("derive(") {
                let bad =
                    derive.contains("PartialEq") || derive.contains("Clone") || derive.contains("Debug");
                assert!(!bad, "{}: {item}", path.display());
            }
        }
    }
}
