//! The schema's life.

use std::{fs, path::Path, sync::Arc};

use data_encoding::HEXLOWER;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use wahana_domain::SystemClock;
use wahana_store::{Store, StoreError, migrate};
use wahana_testkit::{
    database::{TestDatabase, run},
    on_both_databases,
};

/// Every migration that was merged, by the SHA-256 of its source. A line is added, never changed: what
/// a migration did to somebody's database cannot be edited afterwards.
const FROZEN: [(&str, &str); 26] = [
    (
        "m20261123_000001_initial.rs",
        "754ab4a900993b69a61be9af0d1b37366c5665787a982ae94cbc82f51d39c4f6",
    ),
    (
        "m20261123_000002_session_changes.rs",
        "e20abd81ea0edb86dd0dc79cb6de67020d5ee3487d3c68dd769496b41216a6d8",
    ),
    (
        "m20261123_000003_upkeep.rs",
        "1e2a2195cee474ad3f0860defa7c9a85cf7ccaf347bd103338f7dcea20e4c980",
    ),
    (
        "m20261123_000010_work_indexes.rs",
        "a994e80d48c753d74bf1e8653e79b4e7806b44e14a0d68828563eec171dcb816",
    ),
    (
        "m20261123_000011_message_usage.rs",
        "f475ef192dec7edb84dd7a2aa72a5a911c80053a2a21b87e0080ed264e57a51d",
    ),
    (
        "m20261123_000012_session_upkeep.rs",
        "8c12b376fcbbde2b5564977c2afdec8ac9e1609e9d7f7f4d972156e5ad31c57b",
    ),
    (
        "m20261123_000020_event_gap.rs",
        "389b67e33b8ae1fdf8ed7c7d3006d52ce31c1dc1b9e880da9f617bd8995437ca",
    ),
    (
        "m20261123_000030_number_time.rs",
        "0995f271a9a78adfb5f32271a0024268bd51e8786bdc8130a2bfd3ffcb15d04c",
    ),
    (
        "m20261123_000060_reconciliation.rs",
        "823a25f2aeafe58c868dc1ad9f15bcbfcdd43ee8c8ebc5dee21a07b9cded7a2d",
    ),
    (
        "m20261123_000070_session_leftovers.rs",
        "245f3b18481b6a70cc4c595fc7d4dbc15acee8f7e7497a91fcb3be78e2fb22a0",
    ),
    (
        "m20261123_000080_durable_messages.rs",
        "583d0265e8d4a5ebc8e8609e5d846cdc25f23dd88f4a0b53f0f3ac21f97a5f51",
    ),
    (
        "m20261123_000085_media_files.rs",
        "6ddef390976cc64b16ef87d9b54b6dc28dc212ba6674ddedc240a9b1af70b2aa",
    ),
    (
        "m20261123_000090_organization_events.rs",
        "524e4c021363b75adb1607f4081cf65864668279790164132dcf474355cd8256",
    ),
    (
        "m20261123_000095_message_history.rs",
        "72400752049578f8c41999d002d8f352fbe676e1aecb765269fe67b22ce639e0",
    ),
    (
        "m20261123_000110_paced_sending.rs",
        "d662d20bb83fa96ffc3adee802286fe1157b32fac6e631d58a5f28ded718e7b7",
    ),
    (
        "m20261123_000111_queue_bound.rs",
        "17a29716fec6200d1724b731f6ce3d0ed7d063182599931e28b61f4a221f8887",
    ),
    (
        "m20261123_000115_webhooks.rs",
        "5d58cd7132a70b0e3514ecb635ddb85679d1e69de9856b10d93bc52147eb96bc",
    ),
    (
        "m20261123_000118_own_events.rs",
        "8404a5ab7151ca145b2dc44275afc7abdc2097a1b0cb0b1053eccb07f25b17c3",
    ),
    (
        "m20261123_000120_erasures.rs",
        "951b0cff3ee78497e72ff056dd236712ec2a3bfc971db8cb43fbb3d459090d72",
    ),
    (
        "m20261123_000121_exports.rs",
        "d8fbf134e477b7384d7d8c4b803ce2c396975db61a766e6bb36921e35b6ca523",
    ),
    (
        "m20261124_000122_organization_erasures.rs",
        "af33800e33abcc5eada7be5c11437a61fa68870e393f88c913086496a35259db",
    ),
    (
        "m20261124_000123_session_sweeps.rs",
        "d55cd9dc4c82354c0145c41eac1f2d23e24a7e2e9fa8a8a34eaf0c3827089f96",
    ),
    (
        "m20261124_000124_unkept_texts.rs",
        "63aafe592c63835f591b732cd8e5b3a04d113449d3da76187e72df8fd336f085",
    ),
    (
        "m20261130_000200_organization_erasures_wait.rs",
        "2da67256bf4433aff2ff8537fb072aedf58a8f9ddc9f212bc08ac6eb95276073",
    ),
    (
        "m20261130_000210_left_alone.rs",
        "67df3934293e0caec45d19e4a0cddf641b38c2f327fe658edba5d12372947e01",
    ),
    (
        "m20261130_000230_attempt_times.rs",
        "bb5391d24ba1ab2fdf32abd342b9a2ade6988049bf698827308c7ad5f87fddea",
    ),
];

async fn open(db: &TestDatabase) -> Result<Store, StoreError> {
    Store::open(&db.settings(), db.keys(), Arc::new(SystemClock)).await
}

async fn four_at_once(db: &TestDatabase) {
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let settings = db.settings();
            tokio::spawn(async move { migrate(&settings).await })
        })
        .collect();
    let mut applied = Vec::new();
    for task in tasks {
        applied.extend(task.await.unwrap().unwrap());
    }
    assert_eq!(applied.len(), FROZEN.len(), "{applied:?}");
    assert_eq!(
        db.texts_unguarded("SELECT version FROM seaql_migrations").await,
        applied
    );
    open(db).await.unwrap();
}

#[test]
fn four_that_migrate_at_once_apply_each_migration_once_on_sqlite() {
    run(async { four_at_once(&TestDatabase::empty_sqlite()).await });
}

#[test]
fn four_that_migrate_at_once_apply_each_migration_once_on_postgres() {
    run(async { four_at_once(&TestDatabase::empty_postgres().await).await });
}

async fn migrating_again_changes_nothing(db: &TestDatabase) {
    assert_eq!(migrate(&db.settings()).await.unwrap(), Vec::<String>::new());
    open(db).await.unwrap();
}

#[test]
fn a_sqlite_database_that_is_not_there_is_not_made_by_opening_it() {
    run(async {
        let db = TestDatabase::empty_sqlite();
        let error = open(&db).await.unwrap_err();
        assert!(matches!(error, StoreError::NoDatabase));
        assert!(error.to_string().contains("`wahana migrate`"));
        let url = db.settings().url.expose_secret().to_owned();
        assert!(!Path::new(url.trim_start_matches("sqlite://")).exists());
    });
}

#[test]
fn an_empty_sqlite_database_is_refused_with_the_command_that_migrates_it() {
    run(async {
        let db = TestDatabase::empty_sqlite();
        let url = db.settings().url.expose_secret().to_owned();
        fs::File::create(url.trim_start_matches("sqlite://")).unwrap();
        refused_as_pending(&db).await;
    });
}

#[test]
fn an_empty_postgres_database_is_refused_with_the_command_that_migrates_it() {
    run(async { refused_as_pending(&TestDatabase::empty_postgres().await).await });
}

async fn refused_as_pending(db: &TestDatabase) {
    let error = open(db).await.unwrap_err();
    assert!(matches!(error, StoreError::PendingMigrations(_)), "{error}");
    assert!(error.to_string().contains("`wahana migrate`"), "{error}");
}

async fn a_schema_that_lacks_a_migration_is_refused(db: &TestDatabase) {
    db.execute_unguarded("DELETE FROM seaql_migrations").await;
    refused_as_pending(db).await;
}

async fn a_newer_schema_is_neither_opened_nor_migrated(db: &TestDatabase) {
    db.execute_unguarded(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99990101_000001_newer', 0)",
    )
    .await;
    for error in [
        open(db).await.unwrap_err(),
        migrate(&db.settings()).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::NewerSchema(names) if names == &["m99990101_000001_newer"]),
            "{error}"
        );
    }
}

async fn an_open_store_notices_that_the_schema_changed(db: &TestDatabase) {
    let store = open(db).await.unwrap();
    store.check().await.unwrap();
    db.execute_unguarded(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99990101_000001_newer', 0)",
    )
    .await;
    assert!(matches!(store.check().await, Err(StoreError::NewerSchema(_))));
}

#[test]
fn a_migration_that_fails_half_way_leaves_nothing_behind_on_sqlite() {
    run(async {
        let db = TestDatabase::empty_sqlite();
        let url = db.settings().url.expose_secret().to_owned();
        fs::File::create(url.trim_start_matches("sqlite://")).unwrap();
        db.execute_unguarded("CREATE TABLE messages (id integer)").await;
        migrate(&db.settings()).await.unwrap_err();
        db.execute_unguarded("DROP TABLE messages").await;
        assert_eq!(migrate(&db.settings()).await.unwrap().len(), FROZEN.len());
    });
}

#[test]
fn merged_migrations_are_frozen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/migration");
    let mut sources: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name.starts_with("m2"))
        .map(|(name, path)| (name, HEXLOWER.encode(&Sha256::digest(fs::read(path).unwrap()))))
        .collect();
    sources.sort();
    assert_eq!(
        sources,
        FROZEN.map(|(name, hash)| (name.to_owned(), hash.to_owned()))
    );
}

on_both_databases!(
    migrating_again_changes_nothing,
    a_schema_that_lacks_a_migration_is_refused,
    a_newer_schema_is_neither_opened_nor_migrated,
    an_open_store_notices_that_the_schema_changed,
);
