//! Asks SQLite by SQLx.

use sqlx::Connection as _;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut database =
        sqlx::SqliteConnection::connect("sqlite::memory:").await.expect("a database");
    let (version, sum): (String, i64) = sqlx::query_as("SELECT sqlite_version(), 40 + 2")
        .fetch_one(&mut database)
        .await
        .expect("a row");
    println!("SQLx with SQLite {version}: {sum}");
}
