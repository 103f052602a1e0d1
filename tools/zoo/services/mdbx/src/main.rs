//! Keeps a value in libmdbx.

use libmdbx::{Database, NoWriteMap, WriteFlags};

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::<NoWriteMap>::open(folder.path()).expect("a database");
    let writing = database.begin_rw_txn().expect("a transaction");
    let table = writing.open_table(None).expect("a table");
    writing.put(&table, b"knot", b"bowline", WriteFlags::UPSERT).expect("a write");
    let value: Vec<u8> = writing.get(&table, b"knot").expect("a read").expect("a value");
    println!("libmdbx: {}", String::from_utf8_lossy(&value));
}
