//! What names of columns and files tell: words, times, money, codes.

use crate::nouns::entity_in;
use kepi_model::RESERVED;

/// The words of a name in lower case: `customerID`, `cust_id`, `Customer Id` are `customer`/`cust`, `id`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut current = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (i, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            words.extend((!current.is_empty()).then(|| std::mem::take(&mut current)));
            continue;
        }
        let before = i.checked_sub(1).map(|b| chars[b]);
        let next_small = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let hump = c.is_uppercase()
            && before.is_some_and(|b| b.is_lowercase() || b.is_numeric() || (b.is_uppercase() && next_small));
        if hump {
            words.extend((!current.is_empty()).then(|| std::mem::take(&mut current)));
        }
        current.extend(c.to_lowercase());
    }
    words.extend((!current.is_empty()).then_some(current));
    words
}

/// A file's name as a name of the language: `Sales Pipeline` is `sales_pipeline`.
pub(crate) fn snake(name: &str) -> String {
    let joined = words(name).join("_");
    let mut out: String = joined.chars().filter(|c| c.is_ascii_digit() || c.is_alphabetic() || *c == '_').collect();
    if !out.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        out.insert_str(0, "table_");
    }
    if out == "table_" {
        out = "rows".to_string();
    }
    if RESERVED.contains(&out.as_str()) || STATEMENTS.contains(&out.as_str()) {
        out = plural(&out);
    }
    out
}

/// Words that begin statements, or that every model uses: legal as names of events, but hard to read.
const STATEMENTS: [&str; 20] = [
    "event",
    "entity",
    "source",
    "state",
    "measure",
    "segment",
    "dimension",
    "metric",
    "function",
    "target",
    "report",
    "test",
    "module",
    "set",
    "use",
    "calendar",
    "show",
    "now",
    "order",
    "count",
];

/// The English singular, as far as rules go.
pub(crate) fn singular(word: &str) -> String {
    const ODD: [(&str, &str); 4] =
        [("people", "person"), ("series", "series"), ("movies", "movie"), ("cookies", "cookie")];
    if let Some((_, one)) = ODD.iter().find(|(many, _)| *many == word) {
        return (*one).to_string();
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|s| s.len() > 1) {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_string();
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 1 && !stem.ends_with(['s', 'u', 'i']) => stem.to_string(),
        _ => word.to_string(),
    }
}

/// The English plural, as far as rules go.
pub(crate) fn plural(word: &str) -> String {
    if singular(word) != word {
        return word.to_string();
    }
    if let Some(stem) = word.strip_suffix('y').filter(|s| !s.ends_with(['a', 'e', 'i', 'o', 'u'])) {
        return format!("{stem}ies");
    }
    if word.ends_with(['s', 'x']) || word.ends_with("ch") || word.ends_with("sh") {
        return format!("{word}es");
    }
    format!("{word}s")
}

/// Whether the name says that the values are identities.
pub(crate) fn is_id(name: &str) -> bool {
    let words = words(name);
    match words.as_slice() {
        [only] => {
            ["id", "uuid", "guid"].contains(&only.as_str())
                || (only.len() > 4 && only.ends_with("id") && entity_in(&only[..only.len() - 2]).is_some())
        }
        [.., last] => ["id", "uuid", "guid", "key"].contains(&last.as_str()),
        [] => false,
    }
}

/// Whether whole numbers under this name are codes: they are read as text.
pub(crate) fn is_code(name: &str) -> bool {
    const CODES: [&str; 16] = [
        "zip", "zipcode", "postcode", "postal", "phone", "mobile", "fax", "code", "sku", "ean", "isbn", "vat", "iban",
        "ssn", "pin", "hash",
    ];
    is_id(name) || words(name).iter().any(|w| CODES.contains(&w.as_str()))
}

/// Whether the name is that of an amount of money.
pub(crate) fn is_amount(name: &str) -> bool {
    const AMOUNTS: [&str; 34] = [
        "amount", "amt", "price", "revenue", "value", "cost", "costs", "dollars", "euros", "charge", "charges", "fee",
        "fees", "spend", "spent", "income", "salary", "paid", "payment", "balance", "mrr", "arr", "budget", "profit",
        "margin", "sales", "subtotal", "discount", "tax", "refund", "billing", "credit", "debit", "turnover",
    ];
    // `discount_type`, `price_id`, `value_count` are about amounts, not amounts.
    const OTHER: [&str; 14] = [
        "id", "type", "code", "count", "date", "name", "rate", "pct", "percent", "method", "index", "micros", "at",
        "status",
    ];
    let words = words(name);
    if words.last().is_some_and(|w| w == "total") {
        return true;
    }
    words.iter().any(|w| AMOUNTS.contains(&w.as_str())) && !words.iter().any(|w| OTHER.contains(&w.as_str()))
}

/// Whether 0 and 1 under this name are counts, not no and yes.
pub(crate) fn is_counted(name: &str) -> bool {
    const COUNTS: [&str; 24] = [
        "count",
        "counts",
        "num",
        "number",
        "qty",
        "quantity",
        "n",
        "total",
        "clicks",
        "conversions",
        "impressions",
        "orders",
        "visits",
        "units",
        "items",
        "index",
        "level",
        "score",
        "rank",
        "version",
        "position",
        "sequence",
        "times",
        "duration",
    ];
    is_amount(name) || words(name).iter().any(|w| COUNTS.contains(&w.as_str()))
}

/// How well a name fits the moment at which something happened; the highest is taken.
pub(crate) fn time_score(name: &str) -> i32 {
    let mut words = words(name);
    // `createdate` and `closedate` in one word; a name of several words is none of the bare ones below.
    let joined: Vec<String> = words.iter().filter_map(|w| w.strip_suffix("date")).map(str::to_string).collect();
    words.extend(joined.into_iter().filter(|stem| stem.len() >= 4));
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let mut score = 40;
    if words.len() == 1
        && has(&["timestamp", "time", "date", "datetime", "at", "ts", "day", "moment", "occurred", "incident"])
    {
        score = 100;
    } else if has(&[
        "occurred",
        "happened",
        "event",
        "activity",
        "transaction",
        "purchase",
        "purchased",
        "order",
        "ordered",
        "incident",
        "visit",
        "invoice",
        "payment",
        "sent",
        "logged",
    ]) {
        score = 90;
    } else if has(&[
        "created",
        "create",
        "placed",
        "signup",
        "signed",
        "registered",
        "opened",
        "open",
        "received",
        "submitted",
        "engage",
        "subscribed",
        "joined",
        "since",
        "started",
        "start",
        "begin",
        "from",
        "timestamp",
    ]) {
        score = 80;
    } else if has(&["at", "date", "time", "dt", "on", "day"]) {
        score = 60;
    }
    if has(&[
        "updated",
        "modified",
        "changed",
        "due",
        "end",
        "ended",
        "ends",
        "expires",
        "expired",
        "expiry",
        "closed",
        "close",
        "canceled",
        "cancelled",
        "deleted",
        "removed",
        "until",
        "delivered",
        "shipped",
        "required",
        "voided",
        "next",
        "last",
    ]) {
        score -= 50;
    }
    if has(&["synced", "sync", "loaded", "imported", "extracted", "ingested", "fivetran", "airbyte", "dbt", "etl"]) {
        score -= 120;
    }
    if has(&["birth", "birthday", "birthdate", "dob", "born"]) {
        score -= 200;
    }
    score
}

/// Whether a name is that of a moment, so that a whole number under it may count from 1970.
pub(crate) fn is_moment(name: &str) -> bool {
    let words = words(name);
    words.last().is_some_and(|last| {
        ["at", "ts", "on", "epoch", "ms", "created", "updated", "modified"].contains(&last.as_str())
            || ["date", "time", "timestamp"].iter().any(|ending| last.ends_with(ending))
    })
}

/// A name as the language writes it where any word may stand: bare, or in backticks. None: it cannot be written.
pub(crate) fn written(name: &str) -> Option<String> {
    let bare = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || (!c.is_ascii() && c.is_alphabetic()))
        && !RESERVED.contains(&name)
        && !["at", "id", "key", "from", "until", "to", "of", "where", "merge"].contains(&name);
    if bare {
        return Some(name.to_string());
    }
    (!name.is_empty() && !name.contains(['`', '\n', '\r']) && !name.chars().any(char::is_control))
        .then(|| format!("`{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        assert_eq!(words("customerID"), ["customer", "id"]);
        assert_eq!(words("fullVisitorId"), ["full", "visitor", "id"]);
        assert_eq!(words("Dt_Customer"), ["dt", "customer"]);
        assert_eq!(words("sla status new"), ["sla", "status", "new"]);
        assert_eq!(words("HTTPCode2"), ["http", "code2"]);
    }

    #[test]
    fn times_are_ranked_by_name() {
        assert!(time_score("created_at") > time_score("updated_at"));
        assert!(time_score("updated_at") > time_score("_fivetran_synced"));
        assert!(time_score("engage_date") > time_score("close_date"));
        assert!(time_score("birth_date") < 0);
        assert!(time_score("createdate") > time_score("closedate"));
    }

    #[test]
    fn plurals_and_singulars() {
        assert_eq!(singular("companies"), "company");
        assert_eq!(singular("orders"), "order");
        assert_eq!(singular("status"), "status");
        assert_eq!(singular("people"), "person");
        assert_eq!(plural("opportunity"), "opportunities");
        assert_eq!(plural("orders"), "orders");
    }
}
