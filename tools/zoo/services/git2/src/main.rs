//! Writes an object with libgit2.

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = git2::Repository::init(folder.path()).expect("a repository");
    let id = repository.blob(b"bowline").expect("an object");
    let version = git2::Version::get();
    let (major, minor, _) = version.libgit2_version();
    println!("libgit2 {major}.{minor}: {id}, https {}, ssh {}", version.https(), version.ssh());
}
