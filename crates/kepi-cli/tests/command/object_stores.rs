//! Object stores, against a server on this machine that answers as S3 does: listing in pages
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>), objects
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>), `SlowDown`
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).

use super::databases::{answer, expect, sync};
use super::mock::{Asked, Mock, Said, said};
use super::packs::file;
use super::{kepi_in, project_with};
use std::io::Write;
use std::sync::{Arc, Mutex};

const SECRET: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "very-secret-key-2")];

/// Name, when it was written, content.
pub(super) type Objects = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

pub(super) fn put(objects: &Objects, name: &str, at: &str, content: &[u8]) {
    let mut objects = objects.lock().unwrap();
    objects.retain(|(known, ..)| known != name);
    objects.push((name.to_string(), at.to_string(), content.to_vec()));
    objects.sort();
}

fn zipped(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

fn error(status: u16, code: &str) -> Said {
    said(status, &format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}

/// A bucket called `exports`, which lists two objects a page.
fn bucket(objects: &Objects) -> Mock {
    bucket_for(objects, "AWS4-HMAC-SHA256 Credential=AKIATEST/")
}

/// The same for requests whose authorization begins so.
pub(super) fn bucket_for(objects: &Objects, authorization: &'static str) -> Mock {
    let objects = Arc::clone(objects);
    Mock::start(move |asked: &Asked, number| {
        let signed = asked.header("authorization").unwrap_or_default();
        if !signed.starts_with(authorization) {
            return error(403, "AccessDenied");
        }
        // Each ninth request comes too fast.
        if number % 9 == 4 {
            return error(503, "SlowDown");
        }
        let objects = objects.lock().unwrap();
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let Some(name) = path.strip_prefix("/exports").map(|name| name.trim_start_matches('/')) else {
            return error(404, "NoSuchBucket");
        };
        let asked_for = |name: &str| {
            let pair = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name);
            pair.map(|(_, value)| value.replace("%2F", "/"))
        };
        // One of the clients writes every sign of a name so.
        let name = name.replace("%2F", "/").replace("%2E", ".");
        if !name.is_empty() {
            let Some((_, at, content)) = objects.iter().find(|(known, ..)| *known == name) else {
                return error(404, "NoSuchKey");
            };
            let moment = "Mon, 05 Jan 2026 00:00:00 GMT";
            let answer = Said { body: content.clone(), ..said(200, "") };
            return answer.with("Last-Modified", moment).with("ETag", &format!("\"{at}\""));
        }
        let prefix = asked_for("prefix").unwrap_or_default();
        let from: usize = asked_for("continuation-token").map_or(0, |token| token.parse().unwrap());
        let found: Vec<_> = objects.iter().filter(|(name, ..)| name.starts_with(&prefix)).collect();
        let entries: String = found
            .iter()
            .skip(from)
            .take(2)
            .map(|(name, at, content)| {
                format!(
                    "<Contents><Key>{name}</Key><LastModified>{at}</LastModified><ETag>\"{at}\"</ETag><Size>{}</Size></Contents>",
                    content.len()
                )
            })
            .collect();
        let more = from + 2 < found.len();
        let next =
            if more { format!("<NextContinuationToken>{}</NextContinuationToken>", from + 2) } else { String::new() };
        said(
            200,
            &format!(
                "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{more}</IsTruncated>{next}{entries}</ListBucketResult>"
            ),
        )
    })
}

pub(super) fn model(mock: &Mock, more: &str) -> String {
    let here = format!(" with endpoint = \"{}\"{more}, url", mock.url(""));
    file("objects/objects.kepi").replace("example-exports", "exports").replace(" with url", &here)
}

#[test]
fn the_pack_says_what_is_in_the_bucket_and_only_what_is_new_is_fetched_again() {
    let objects = Objects::default();
    put(
        &objects,
        "site/visits/2026-01-05/09.ndjson.gz",
        "2026-01-05T10:00:00.000Z",
        &zipped(&file("objects/fixtures/visits.ndjson")),
    );
    put(&objects, "site/visits/readme.txt", "2026-01-05T10:00:00.000Z", b"not a table");
    put(&objects, "site/orders/a.csv", "2026-01-21T00:00:00.000Z", file("objects/fixtures/orders.csv").as_bytes());
    put(&objects, "site/orders/empty/", "2026-01-21T00:00:00.000Z", b"");
    put(&objects, "site/ordersold/a.csv", "2026-01-21T00:00:00.000Z", b"order_id\n");
    let mock = bucket(&objects);
    let folder = project_with(&[("model/site.kepi", &model(&mock, ""))]);
    for source in ["site_visits", "site_orders"] {
        let told = sync(folder.path(), &[source], &SECRET);
        assert!(!told.contains("very-secret"), "{told}");
    }
    expect(
        folder.path(),
        &[
            ("visit_count", 4.0),
            ("visitors", 3.0),
            ("views_per_visitor", 4.0 / 3.0),
            ("new_visitors", 3.0),
            ("time_on_page", 25.0),
            ("order_count", 2.0),
            ("order_revenue", 50.5),
            ("order_value", 25.25),
            ("buyers", 2.0),
            ("buyer_rate", 2.0 / 3.0),
            ("visit_to_order", 1.0 / 3.0),
            ("search_share", 0.5),
        ],
    );
    let fetched = || mock.asked().iter().filter(|asked| asked.target.contains("a.csv")).count();
    let before = fetched();
    assert!(sync(folder.path(), &["site_orders"], &SECRET).contains("nothing new"));
    assert_eq!(fetched(), before, "what is known is not fetched");
    // One is written anew, one appears that was begun earlier.
    let changed = "order_id,visitor,at,amount,channel\no1,v1,2026-01-05T09:05:00Z,41.00,search\n";
    put(&objects, "site/orders/a.csv", "2026-01-22T00:00:00.000Z", changed.as_bytes());
    let late = "order_id,visitor,at,amount,channel\no3,v3,2026-01-20T13:00:00Z,5.00,mail\nnot,a,row\n";
    put(&objects, "site/orders/b.csv", "2026-01-20T13:00:00.000Z", late.as_bytes());
    let told = sync(folder.path(), &["site_orders"], &SECRET);
    assert!(told.contains("rejected"), "{told}");
    expect(folder.path(), &[("order_count", 3.0), ("order_revenue", 56.5)]);
}

#[test]
fn a_large_object_is_read_in_pages_and_on_where_a_run_ended() {
    let objects = Objects::default();
    let rows: String = (0..25_000).map(|n| format!("r{n},v{},2026-01-05T09:05:00Z,1.00,mail\n", n % 7)).collect();
    let text = format!("order_id,visitor,at,amount,channel\n{rows}");
    put(&objects, "site/orders/large.csv", "2026-01-21T00:00:00.000Z", text.as_bytes());
    let mock = bucket(&objects);
    let folder = project_with(&[("model/site.kepi", &model(&mock, ""))]);
    for _ in 0..3 {
        sync(folder.path(), &["site_orders", "--limit", "9000"], &SECRET);
    }
    assert_eq!(answer(folder.path(), "show order_count, buyers"), [25_000.0, 7.0]);
    assert!(sync(folder.path(), &["site_orders"], &SECRET).contains("nothing new"));
    let full = sync(folder.path(), &["site_orders", "--full"], &SECRET);
    assert!(full.contains("25,000 known"), "{full}");
}

#[test]
fn what_a_store_refuses_is_told() {
    let objects = Objects::default();
    put(&objects, "site/orders/a.csv", "2026-01-21T00:00:00.000Z", b"order_id\nx\n");
    let mock = bucket(&objects);
    let told = |text: String, variables: &[(&str, &str)]| {
        let folder = project_with(&[("model/site.kepi", &text)]);
        let ran = kepi_in(folder.path(), &["sync", "site_orders"], variables);
        assert_ne!(ran.code, 0, "{}", ran.out);
        assert!(!ran.err.contains("very-secret"), "{}", ran.err);
        ran.err
    };
    let none = told(model(&mock, ""), &[]);
    assert!(none.contains("AWS_ACCESS_KEY_ID") && none.contains("anonymous = \"yes\""), "{none}");
    let other =
        told(model(&mock, ""), &[("AWS_ACCESS_KEY_ID", "AKIAOTHER"), ("AWS_SECRET_ACCESS_KEY", "very-secret-key-2")]);
    assert!(other.contains("AccessDenied"), "{other}");
    let url = told(model(&mock, "").replace("s3://exports/site/orders/", "exports"), &SECRET);
    assert!(url.contains("`exports` is not like s3://bucket/exports/"), "{url}");
    let absent = told(model(&mock, "").replace("s3://exports/", "s3://others/"), &SECRET);
    assert!(absent.contains("NoSuchBucket"), "{absent}");
}

/// Google's XML interface lists and gives objects as S3 does
/// (<https://cloud.google.com/storage/docs/xml-api/get-bucket-list>); the key is one of those that emulators take, which
/// are not exchanged for a token and sign nothing (<https://github.com/fsouza/fake-gcs-server>).
#[test]
fn a_bucket_of_google_is_read() {
    let objects = Objects::default();
    let orders = file("objects/fixtures/orders.csv");
    for name in ["site/orders/a.csv", "site/orders/b.txt", "site/orders/c.txt", "site/other/a.csv"] {
        put(&objects, name, "2026-01-21T00:00:00.000Z", orders.as_bytes());
    }
    let mock = bucket_for(&objects, "");
    let text = model(&mock, "").replace("s3://", "gs://");
    let folder = project_with(&[("model/site.kepi", &text)]);
    let key = "{\"private_key\": \"very-secret-key\", \"private_key_id\": \"1\", \"client_email\": \"a@example.com\", \"disable_oauth\": true}";
    let told = sync(folder.path(), &["site_orders"], &[("GOOGLE_SERVICE_ACCOUNT_KEY", key)]);
    assert!(!told.contains("very-secret"), "{told}");
    expect(folder.path(), &[("order_count", 2.0), ("order_revenue", 50.5)]);
    assert!(sync(folder.path(), &["site_orders"], &[("GOOGLE_SERVICE_ACCOUNT_KEY", key)]).contains("nothing new"));
    let none = kepi_in(folder.path(), &["sync", "site_orders"], &[]);
    assert!(none.code != 0 && none.err.contains("GOOGLE_SERVICE_ACCOUNT_KEY"), "{}", none.err);
}

/// A container called `exports` as Azure's Blob service answers: listing by markers
/// (<https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs>), blobs
/// (<https://learn.microsoft.com/en-us/rest/api/storageservices/get-blob>), `ServerBusy`
/// (<https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes>).
fn container(objects: &Objects) -> Mock {
    let objects = Arc::clone(objects);
    Mock::start(move |asked: &Asked, number| {
        if !asked.header("authorization").unwrap_or_default().starts_with("SharedKey mystorage:") {
            return error(403, "AuthenticationFailed");
        }
        if number % 5 == 2 {
            return error(503, "ServerBusy");
        }
        let objects = objects.lock().unwrap();
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let Some(name) = path.strip_prefix("/exports").map(|name| name.trim_start_matches('/')) else {
            return error(404, "ContainerNotFound");
        };
        let asked_for = |name: &str| {
            let pair = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name);
            pair.map(|(_, value)| value.replace("%2F", "/"))
        };
        let moment = "Wed, 21 Jan 2026 00:00:00 GMT";
        if asked_for("comp").is_none() {
            let Some((_, at, content)) = objects.iter().find(|(known, ..)| known == name) else {
                return error(404, "BlobNotFound");
            };
            let answer = Said { body: content.clone(), ..said(200, "") };
            return answer.with("Last-Modified", moment).with("ETag", &format!("\"{at}\""));
        }
        let prefix = asked_for("prefix").unwrap_or_default();
        let from: usize = asked_for("marker").filter(|m| !m.is_empty()).map_or(0, |marker| marker.parse().unwrap());
        let found: Vec<_> = objects.iter().filter(|(name, ..)| name.starts_with(&prefix)).collect();
        let blob = |(name, at, content): &&(String, String, Vec<u8>)| {
            format!(
                "<Blob><Name>{name}</Name><Properties><Last-Modified>{moment}</Last-Modified><Etag>{at}</Etag>\
                 <Content-Length>{}</Content-Length><Content-Type>text/csv</Content-Type></Properties></Blob>",
                content.len()
            )
        };
        let blobs: String = found.iter().skip(from).take(2).map(blob).collect();
        let next = if from + 2 < found.len() { (from + 2).to_string() } else { String::new() };
        said(
            200,
            &format!(
                "<?xml version=\"1.0\"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
            ),
        )
    })
}

#[test]
fn a_container_of_azure_is_read() {
    let objects = Objects::default();
    let orders = file("objects/fixtures/orders.csv");
    for name in ["site/orders/a.csv", "site/orders/b.txt", "site/orders/c.txt", "site/other/a.csv"] {
        put(&objects, name, "1", orders.as_bytes());
    }
    let mock = container(&objects);
    let text = model(&mock, ", account = \"mystorage\"").replace("s3://", "az://");
    let folder = project_with(&[("model/site.kepi", &text)]);
    // Of Azure's keys, base64 is asked.
    let key = [("AZURE_STORAGE_ACCOUNT_KEY", "dmVyeS1zZWNyZXQta2V5")];
    let told = sync(folder.path(), &["site_orders"], &key);
    assert!(!told.contains("dmVyeS1"), "{told}");
    expect(folder.path(), &[("order_count", 2.0), ("order_revenue", 50.5)]);
    assert!(sync(folder.path(), &["site_orders"], &key).contains("nothing new"));
    let changed = "order_id,visitor,at,amount,channel\no1,v1,2026-01-05T09:05:00Z,41.00,search\n";
    put(&objects, "site/orders/a.csv", "2", changed.as_bytes());
    sync(folder.path(), &["site_orders"], &key);
    expect(folder.path(), &[("order_count", 2.0), ("order_revenue", 51.5)]);
    let absent = text.replace("az://exports/", "az://others/");
    let folder = project_with(&[("model/site.kepi", &absent)]);
    let ran = kepi_in(folder.path(), &["sync", "site_orders"], &key);
    assert!(ran.code != 0 && ran.err.contains("ContainerNotFound"), "{}", ran.err);
}
