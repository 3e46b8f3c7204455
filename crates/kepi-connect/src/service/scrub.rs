//! Taking secrets out of texts that somebody may see.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A secret that is shorter would also be found in words that have nothing to do with it.
pub(crate) const SECRET_CHARACTERS_MIN: usize = 6;

/// What is taken out, in every form in which it may come back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrubber {
    /// Needle and what stands in its place, the longest needle first.
    needles: Vec<(String, String)>,
}

impl Scrubber {
    /// Takes a text out from now on; `instead` stands in its place.
    pub(crate) fn add(&mut self, value: &str, instead: &str) {
        let json = serde_json::Value::from(value).to_string();
        let forms = [
            value.to_string(),
            percent_encoded(value),
            percent_encoded(value).replace("%20", "+"),
            json[1..json.len() - 1].to_string(),
            BASE64.encode(value.as_bytes()),
        ];
        for form in forms {
            if form.chars().count() >= SECRET_CHARACTERS_MIN && !self.needles.iter().any(|(needle, _)| *needle == form)
            {
                self.needles.push((form, instead.to_string()));
            }
        }
        self.needles.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
    }

    /// The text without secrets. At each place the longest one is taken, and what stands in its place is not looked at
    /// again.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        loop {
            let places = self
                .needles
                .iter()
                .filter_map(|(needle, instead)| Some((rest.find(needle.as_str())?, needle, instead)));
            // Of several at the same place the first is the longest.
            let Some((at, needle, instead)) = places.min_by_key(|(at, ..)| *at) else { break };
            out.push_str(&rest[..at]);
            out.push_str(instead);
            rest = &rest[at + needle.len()..];
        }
        out.push_str(rest);
        out
    }
}

/// A text as a part of an address: all but letters, digits and `-._~` as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let mut scrubber = Scrubber::default();
        scrubber.add("s3cr&t \"x\"", "{{secret:KEY}}");
        for text in [
            "s3cr&t \"x\"",
            "s3cr%26t%20%22x%22",
            "s3cr%26t+%22x%22",
            "s3cr&t \\\"x\\\"",
            &BASE64.encode(b"s3cr&t \"x\""),
        ] {
            assert_eq!(scrubber.scrub(&format!("a {text} b")), "a {{secret:KEY}} b", "{text}");
        }
        assert_eq!(scrubber.scrub("nothing"), "nothing");
    }

    #[test]
    fn the_longer_of_two_secrets_is_taken_whole() {
        let mut scrubber = Scrubber::default();
        scrubber.add("secret", "{{secret:A}}");
        scrubber.add("secret-and-more", "{{secret:B}}");
        assert_eq!(scrubber.scrub("secret-and-more secret"), "{{secret:B}} {{secret:A}}");
    }
}
