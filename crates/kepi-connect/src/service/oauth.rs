//! OAuth 2: an access token for a refresh token (RFC 6749, section 6), kept in memory only.

use serde::Deserialize;

/// How an access token is had. The values of client and refresh token are secrets, given here by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// Where tokens are given out; a granted address.
    pub token_url: String,
    /// The secret that holds the client's id.
    pub client_id: String,
    /// The secret that holds the client's secret.
    pub client_secret: String,
    /// The secret that holds the refresh token.
    pub refresh_token: String,
}

impl OAuth {
    /// The body of the request for a token, with placeholders for the secrets.
    pub(crate) fn form(&self) -> String {
        format!(
            "grant_type=refresh_token&client_id={{{{secret:{}}}}}&client_secret={{{{secret:{}}}}}&refresh_token={{{{secret:{}}}}}",
            self.client_id, self.client_secret, self.refresh_token
        )
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// The access token in an answer; the error is what the service says.
pub(crate) fn token(status: u16, body: &[u8]) -> Result<String, String> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    match answer {
        Some(Answer { access_token: Some(token), .. }) if (200..300).contains(&status) && !token.is_empty() => {
            Ok(token)
        }
        Some(Answer { error: Some(error), error_description, .. }) => Err(match error_description {
            Some(description) => format!("{error}: {description}"),
            None => error,
        }),
        _ => Err(format!("status {status} without an access token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_or_the_words_of_the_service() {
        assert_eq!(token(200, br#"{"access_token":"abc","token_type":"Bearer"}"#), Ok("abc".to_string()));
        let refused = br#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#;
        assert_eq!(token(400, refused), Err("invalid_grant: expired access/refresh token".to_string()));
        assert_eq!(token(200, b"<html>"), Err("status 200 without an access token".to_string()));
        assert_eq!(token(500, br#"{"access_token":"abc"}"#), Err("status 500 without an access token".to_string()));
    }
}
