//! Keeps a value in LMDB.

use heed::types::Str;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    // SAFETY: nothing else has this new folder open.
    let env = unsafe { heed::EnvOpenOptions::new().open(folder.path()) }.expect("a database");
    let mut writing = env.write_txn().expect("a transaction");
    let table: heed::Database<Str, Str> = env.create_database(&mut writing, None).expect("a table");
    table.put(&mut writing, "knot", "bowline").expect("a write");
    writing.commit().expect("a commit");
    let reading = env.read_txn().expect("a transaction");
    let value = table.get(&reading, "knot").expect("a read").expect("a value");
    println!("{}: {value}", heed::lmdb_version().string);
}
