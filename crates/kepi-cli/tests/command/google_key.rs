//! A service account's key of Google: nothing is exchanged for it. A token is signed with it for an hour, as Google describes
//! (<https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth>), and sent with each request.

use super::databases::{expect, sync};
use super::object_stores::{Objects, bucket_for, model, put};
use super::packs::file;
use super::{folder, kepi_in, project_with};
use std::fs;
use std::process::Command;

/// A key that was made for this test, and opens nothing.
const KEY: &str = include_str!("google_key.pem");

/// The bytes of a base64 text with the signs of addresses and without padding.
fn decoded(text: &str) -> Vec<u8> {
    let signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for sign in text.chars() {
        bits = (bits << 6 | signs.find(sign).unwrap() as u32) & 0xf_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// Whether the key's other half says that it signed the message; none: there is no openssl to ask.
fn is_signed(message: &str, signature: &[u8]) -> Option<bool> {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("key.pem"), KEY).unwrap();
    fs::write(path("message"), message).unwrap();
    fs::write(path("signature"), signature).unwrap();
    let openssl = |arguments: &[&str]| Command::new("openssl").args(arguments).output().ok();
    let made = openssl(&["pkey", "-in", &path("key.pem"), "-pubout", "-out", &path("public.pem")])?;
    assert!(made.status.success(), "{made:?}");
    let (public, signature) = (path("public.pem"), path("signature"));
    let said = openssl(&["dgst", "-sha256", "-verify", &public, "-signature", &signature, &path("message")])?;
    Some(said.status.success())
}

#[test]
fn a_token_is_signed_with_the_key_and_the_key_stays_here() {
    let objects = Objects::default();
    put(&objects, "site/orders/a.csv", "2026-01-21T00:00:00.000Z", file("objects/fixtures/orders.csv").as_bytes());
    let mock = bucket_for(&objects, "Bearer ");
    let text = model(&mock, "").replace("s3://", "gs://");
    let folder = project_with(&[("model/site.kepi", &text)]);
    let key = serde_json::json!({
        "type": "service_account",
        "private_key_id": "key-7",
        "private_key": KEY,
        "client_email": "reader@example.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    let told = sync(folder.path(), &["site_orders"], &[("GOOGLE_SERVICE_ACCOUNT_KEY", &key.to_string())]);
    expect(folder.path(), &[("order_count", 2.0), ("order_revenue", 50.5)]);
    let inside: Vec<&str> = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(inside.len() > 10 && !inside.iter().any(|line| told.contains(line)), "{told}");

    let asked = mock.asked();
    let tokens: Vec<&str> = asked.iter().filter_map(|a| a.header("authorization")?.strip_prefix("Bearer ")).collect();
    assert!(tokens.len() == asked.len() && tokens.len() >= 2, "each request has one: {tokens:?}");
    let parts: Vec<&str> = tokens[0].split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("{tokens:?}") };
    let object = |text: &str| -> serde_json::Value { serde_json::from_slice(&decoded(text)).unwrap() };
    let (header_said, said) = (object(header), object(claims));
    assert_eq!((&header_said["alg"], &header_said["kid"]), (&"RS256".into(), &"key-7".into()));
    assert_eq!(said["iss"], "reader@example.iam.gserviceaccount.com");
    assert_eq!(said["sub"], said["iss"]);
    // The library asks for all that the account may do.
    assert_eq!(said["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 3_600);
    match is_signed(&format!("{header}.{claims}"), &decoded(signature)) {
        Some(signed) => {
            assert!(signed, "the signature is not the key's");
            assert_eq!(is_signed(&format!("{header}.{claims}x"), &decoded(signature)), Some(false));
        }
        None => eprintln!("left out: the signature itself, since there is no openssl"),
    }

    let broken = [("GOOGLE_SERVICE_ACCOUNT_KEY", "{\"private_key\": \"very-secret\", \"client_email\": \"a@b.c\"}")];
    let ran = kepi_in(folder.path(), &["sync", "site_orders"], &broken);
    assert!(ran.code != 0 && ran.err.contains("gs://exports") && !ran.err.contains("very-secret"), "{}", ran.err);
}
