//! Keeps a value in LMDB.

use heed::types::Str;
use heed::{CommitOrAbort, Database, EnvOpenOptions};

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    // SAFETY: nothing else has this new folder open.
    let env = unsafe { EnvOpenOptions::new().open(folder.path()) }.expect("a database");
    let reading = env.read_txn().expect("a transaction");
    let table: Database<Str, Str> = env
        .open_databases_and_commit(reading, |opener, reading| {
            opener.open_database(reading, None).map(CommitOrAbort::<_, ()>::Commit)
        })
        .expect("a table")
        .unwrap_commit()
        .expect("the unnamed table");
    let mut writing = env.write_txn().expect("a transaction");
    table.put(&mut writing, "knot", "bowline").expect("a write");
    writing.commit().expect("a commit");
    let reading = env.read_txn().expect("a transaction");
    let value = table.get(&reading, "knot").expect("a read").expect("a value");
    println!("{}: {value}", heed::lmdb_version().string);
}
