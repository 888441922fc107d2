use std::os::unix::fs::PermissionsExt as _;

use futures_util::{TryStreamExt as _, stream};

use super::*;

type Piece = Result<Bytes, &'static str>;

fn pieces(pieces: &[&'static str]) -> impl Stream<Item = Piece> + Unpin + use<> {
    let pieces: Vec<Piece> = pieces
        .iter()
        .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
        .collect();
    stream::iter(pieces)
}

async fn text(store: &MediaStore, key: &StorageKey, range: Range<u64>) -> String {
    let bytes = store.read(key, range).await.unwrap();
    let pieces: Vec<Bytes> = bytes.try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

/// The paths of all files below a folder, and that they and the folders are wahana's alone.
fn files(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            found.extend(files(&path));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn what_was_written_is_read_again_whole_and_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let store = MediaStore::in_directory(folder.path().join("a/b"));
    let organization = OrganizationId::new();
    let stored = store
        .write(organization, pieces(&["abc", "", "defgh"]), 8)
        .await
        .unwrap();
    assert_eq!(stored.size, 8);
    assert_eq!(
        stored.sha256,
        "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"
    );
    assert_eq!(text(&store, &stored.key, 0..8).await, "abcdefgh");
    assert_eq!(text(&store, &stored.key, 2..5).await, "cde");
    assert_eq!(text(&store, &stored.key, 7..8).await, "h");
    assert_eq!(text(&store, &stored.key, 3..3).await, "");
    let path = folder.path().join("a/b").join(stored.key.as_str());
    assert_eq!(files(&folder.path().join("a")), [path.display().to_string()]);

    // Another process with the same folder.
    let other = MediaStore::in_directory(folder.path().join("a/b"));
    other.delete(&stored.key).await.unwrap();
    other.delete(&stored.key).await.unwrap();
    let gone = store.read(&stored.key, 0..8).await.err().unwrap();
    assert!(matches!(gone, MediaStoreError::NotFound), "{gone}");
}

#[tokio::test]
async fn nothing_stays_of_what_is_too_large_or_breaks_off() {
    let folder = tempfile::tempdir().unwrap();
    let store = MediaStore::in_directory(folder.path().to_owned());
    let organization = OrganizationId::new();
    let error = store
        .write(organization, pieces(&["abc", "de"]), 4)
        .await
        .unwrap_err();
    assert!(matches!(error, WriteError::TooLarge { limit: 4 }), "{error}");
    let broken: Vec<Piece> = vec![Ok(Bytes::from_static(b"abc")), Err("the line is dead")];
    let error = store
        .write(organization, stream::iter(broken), 100)
        .await
        .unwrap_err();
    assert!(matches!(error, WriteError::Source("the line is dead")), "{error}");
    // As when a process gives up on it.
    let endless = pieces(&["abc"]).chain(stream::pending());
    let write = store.write(organization, endless, 100);
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(200), write).await;
    assert!(given_up.is_err());
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_there_is_listed_by_organization_and_digits() {
    let folder = tempfile::tempdir().unwrap();
    let store = MediaStore::in_directory(folder.path().to_owned());
    let (one, other) = (OrganizationId::new(), OrganizationId::new());
    let stored = store.write(one, pieces(&["a"]), 1).await.unwrap();
    store.write(other, pieces(&["a"]), 1).await.unwrap();
    let left_behind = StorageKey::generate(one);
    let writer = store.0.begin(&left_behind).await.unwrap();
    std::fs::write(folder.path().join(one.to_string()).join("notes.txt"), "mine").unwrap();

    let mut found = Vec::new();
    for shard in 0..=255 {
        found.extend(
            store
                .list(one, shard)
                .await
                .unwrap()
                .into_iter()
                .map(|found| found.name),
        );
    }
    let expected = [
        FoundName::Key(stored.key),
        FoundName::Unfinished(left_behind.clone()),
    ];
    assert_eq!(found.len(), 2);
    assert!(expected.iter().all(|name| found.contains(name)), "{found:?}");
    store.delete_unfinished(&left_behind).await.unwrap();
    store.delete_unfinished(&left_behind).await.unwrap();
    drop(writer);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_to_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "no folder").unwrap();
    let store = MediaStore::in_directory(path);
    let error = store
        .write(OrganizationId::new(), pieces(&["a"]), 1)
        .await
        .unwrap_err();
    assert!(
        matches!(error, WriteError::Store(MediaStoreError::File(_))),
        "{error}"
    );
}
