//! Keeps a value in RocksDB, in C++.

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = rocksdb::DB::open_default(folder.path()).expect("a database");
    database.put(b"knot", b"bowline").expect("a write");
    database.flush().expect("a file");
    let value = database.get(b"knot").expect("a read").expect("a value");
    println!("RocksDB: {}", String::from_utf8_lossy(&value));
}
