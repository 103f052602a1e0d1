//! Asks SQLite.

fn main() {
    let database = rusqlite::Connection::open_in_memory().expect("a database");
    let sum: i64 = database.query_row("SELECT 40 + 2", [], |row| row.get(0)).expect("a sum");
    println!("SQLite {}: {sum}", rusqlite::version());
}
