//! What the linker needs to know. Libpam itself is part of every Debian; the name by which the linker looks for it
//! comes with a package for developers, which building Culver should not take. Where only the library is there, the
//! name is made among the build's own files.

use std::env;
use std::path::{Path, PathBuf};

/// Where systems keep their libraries; the first are Debian's.
fn directories() -> Vec<PathBuf> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let triplet = format!("{arch}-linux-gnu");
    ["/usr/lib", "/lib"]
        .iter()
        .flat_map(|base| [Path::new(base).join(&triplet), Path::new(base).to_owned()])
        .chain(["/usr/lib64".into(), "/lib64".into()])
        .collect()
}

fn main() {
    println!("cargo:rerun-if-changed=packaging/build.rs");
    let directories = directories();
    let has = |name: &str| {
        directories
            .iter()
            .map(|dir| dir.join(name))
            .find(|path| path.exists())
    };
    if has("libpam.so").is_some() || has("libpam.a").is_some() {
        return;
    }
    let (Some(library), Some(out)) = (has("libpam.so.0"), env::var_os("OUT_DIR")) else {
        println!("cargo:warning=libpam is not here; on Debian, install libpam0g");
        return;
    };
    let out = PathBuf::from(out);
    let name = out.join("libpam.so");
    // From an earlier build, perhaps.
    let _ = std::fs::remove_file(&name);
    if let Err(error) = std::os::unix::fs::symlink(library, &name) {
        println!("cargo:warning={}: {error}", name.display());
    }
    println!("cargo:rustc-link-search=native={}", out.display());
}
