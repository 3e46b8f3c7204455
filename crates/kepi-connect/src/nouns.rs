//! The nouns of files and columns: who or what a KPI is about, what a table's rows are, and what only happens to them.

use crate::naming::{is_id, plural, singular, snake, words};

/// Who or what a KPI is about, the likeliest subject first.
const SUBJECTS: [&str; 34] = [
    "customer",
    "client",
    "user",
    "subscriber",
    "member",
    "account",
    "person",
    "visitor",
    "guest",
    "patient",
    "student",
    "player",
    "contact",
    "lead",
    "household",
    "company",
    "organization",
    "deal",
    "opportunity",
    "subscription",
    "order",
    "invoice",
    "ticket",
    "session",
    "campaign",
    "product",
    "item",
    "store",
    "device",
    "vendor",
    "supplier",
    "agent",
    "employee",
    "seller",
];

/// Nouns that name an entity without `id` behind them: `account`, but not `order`, which may be a number.
const BARE: [&str; 14] = [
    "customer",
    "client",
    "user",
    "subscriber",
    "member",
    "account",
    "visitor",
    "guest",
    "patient",
    "student",
    "player",
    "contact",
    "company",
    "product",
];

const SHORT: [(&str, &str); 14] = [
    ("cust", "customer"),
    ("cst", "customer"),
    ("acct", "account"),
    ("acc", "account"),
    ("usr", "user"),
    ("org", "organization"),
    ("organisation", "organization"),
    ("prod", "product"),
    ("sess", "session"),
    ("opp", "opportunity"),
    ("emp", "employee"),
    ("subscr", "subscription"),
    ("sub", "subscription"),
    ("merchant", "seller"),
];

/// Things that tables hold and other tables refer to, beside the subjects.
const THINGS: [&str; 42] = [
    "plan",
    "price",
    "owner",
    "rep",
    "salesperson",
    "manager",
    "team",
    "role",
    "group",
    "department",
    "branch",
    "office",
    "staff",
    "partner",
    "affiliate",
    "workspace",
    "tenant",
    "project",
    "brand",
    "category",
    "collection",
    "shop",
    "site",
    "location",
    "warehouse",
    "region",
    "country",
    "city",
    "channel",
    "list",
    "flow",
    "pipeline",
    "stage",
    "coupon",
    "artist",
    "album",
    "track",
    "genre",
    "listing",
    "host",
    "course",
    "teacher",
];

/// Subjects that have a course of their own: they are opened, move on and are closed. A table of them holds what
/// happened, and other tables refer to them.
const CASES: [&str; 5] = ["lead", "deal", "opportunity", "ticket", "subscription"];

/// Subjects that only record what happened to others.
const RECORDS: [&str; 3] = ["order", "invoice", "session"];

/// What one of something is made of, rows below a header: `order_item`.
const PARTS: [&str; 7] = ["item", "line", "detail", "entry", "position", "row", "tag"];

/// Words behind a thing that make no other thing of it: `customer_summary` has a row for each customer.
const SUMMARIES: [&str; 15] = [
    "list",
    "summary",
    "profile",
    "detail",
    "info",
    "information",
    "master",
    "attribute",
    "feature",
    "property",
    "metadata",
    "stat",
    "score",
    "rfm",
    "ltv",
];

/// Words of a file's name that say nothing about its rows.
const NOISE: [&str; 15] = [
    "data", "history", "export", "table", "dump", "raw", "csv", "file", "sample", "full", "all", "stg", "dim", "fact",
    "src",
];

/// Words that make the one before them a key.
const KEY_WORDS: [&str; 8] = ["id", "key", "uuid", "guid", "number", "no", "nr", "code"];

/// The entity that a column's name refers to, and how likely it is the subject (0 first).
pub(crate) fn entity_of(name: &str) -> Option<(&'static str, usize)> {
    let words = words(name);
    let (last, before) = words.split_last()?;
    if before.is_empty() {
        // `customerid` in one word.
        if let Some(stem) = last.strip_suffix("id").filter(|s| s.len() > 2) {
            return entity_in(stem.trim_end_matches('_'));
        }
        return entity_in(last).filter(|(noun, _)| BARE.contains(noun));
    }
    if KEY_WORDS.contains(&last.as_str()) {
        return entity_in(before.last()?);
    }
    None
}

/// The entity that a word is.
pub(crate) fn entity_in(word: &str) -> Option<(&'static str, usize)> {
    let word = singular(word);
    let word = SHORT.iter().find(|(short, _)| *short == word).map_or(word.as_str(), |(_, long)| long);
    SUBJECTS.iter().position(|s| *s == word).map(|at| (SUBJECTS[at], at))
}

/// What a file of this name (without its endings) may be meant for: its own name, in the plural, in the singular, and
/// the entity that its rows may be.
pub fn names_of(stem: &str) -> [String; 4] {
    let own = Own::of(stem);
    let stem = snake(stem);
    // The history of accounts is no account.
    let [full, name] = if own.past { [stem.clone(), stem.clone()] } else { [own.full, own.name] };
    [stem.clone(), plural(&stem), full, name]
}

/// The column that by its name identifies the rows of a file of this name (without its endings): `id`, or `order_id` in
/// a file of orders. None: there is none, or several, or the rows are versions of things.
pub fn row_key<'a>(stem: &str, columns: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let own = Own::of(stem);
    let mut keys = columns.into_iter().filter(|c| is_id(c) && own.is_key(c) && !own.past);
    keys.next().filter(|_| keys.next().is_none()).cloned()
}

/// What a file's name says that its rows are.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// The entity that one of them would be: `account` in `crm_accounts`, `invoice_line` in `InvoiceLine`.
    pub(crate) name: String,
    /// The same without leaving out what stands before a subject: `crm_account`.
    pub(crate) full: String,
    /// The words that say something, each in the singular.
    words: Vec<String>,
    /// Whether rows are versions of things rather than things.
    past: bool,
}

impl Own {
    /// Reads a file's name without its endings.
    pub(crate) fn of(stem: &str) -> Own {
        let all = words(stem);
        let past = all.iter().any(|w| ["history", "log", "audit"].contains(&w.as_str()));
        let says = |w: &&String| !NOISE.contains(&w.as_str()) && !w.bytes().all(|b| b.is_ascii_digit());
        let kept: Vec<String> = all.iter().filter(says).cloned().collect();
        let mut kept = if kept.is_empty() { all } else { kept };
        let singulars: Vec<String> = kept.iter().map(|w| singular(w)).collect();
        if let (Some(last), Some(one)) = (kept.last_mut(), singulars.last()) {
            last.clone_from(one);
        }
        let full = snake(&kept.join("_"));
        let name = match singulars.last().and_then(|last| entity_in(last)) {
            // The items of an order are no items.
            Some(_) if is_part(&singulars) => full.clone(),
            Some((noun, _)) => noun.to_string(),
            None => full.clone(),
        };
        Own { name, full, words: singulars, past }
    }

    /// The word that says what a row is: the last one.
    pub(crate) fn head(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// Whether the rows are things that other tables refer to, with attributes of their own.
    pub(crate) fn is_thing(&self) -> bool {
        if self.past || is_part(&self.words) {
            return false;
        }
        match entity_in(self.head()) {
            Some((noun, _)) => is_thing(noun),
            None => THINGS.contains(&self.head()),
        }
    }

    /// Whether the rows are what happened, one for each thing with a number of its own: orders, deals, tickets.
    pub(crate) fn is_recorded(&self) -> bool {
        !self.past && !is_part(&self.words) && entity_in(self.head()).is_some_and(|(noun, _)| !is_thing(noun))
    }

    /// Whether the rows are parts of what the name's other words say.
    pub(crate) fn is_part(&self) -> bool {
        is_part(&self.words)
    }

    /// Whether the last word is that of a part, whatever it is a part of.
    pub(crate) fn is_called_part(&self) -> bool {
        PARTS.contains(&self.head())
    }

    /// Whether the rows are versions of things.
    pub(crate) fn is_past(&self) -> bool {
        self.past
    }

    /// Whether a key is that of the rows: `id`, or named like them.
    pub(crate) fn is_key(&self, name: &str) -> bool {
        match key_noun(name).as_slice() {
            [] => true,
            [.., last] => {
                let same = entity_in(last).zip(entity_in(self.head())).is_some_and(|(a, b)| a.0 == b.0);
                same || singular(last) == self.head()
            }
        }
    }

    /// Whether a word before the last one is what a column refers to: `deal` in `deal_contact`, for `deal_id`.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        let Some((_, before)) = self.words.split_last() else { return false };
        key_noun(name).last().is_some_and(|noun| before.contains(&singular(noun)) || named(before, noun))
    }

    /// Whether the name says anything about what a key refers to.
    pub(crate) fn speaks_of(&self, name: &str) -> bool {
        self.mentions(name) || self.is_key(name)
    }

    /// Whether there is a row for each of what the key refers to, and no other thing: `customer_summary`.
    pub(crate) fn sums_up(&self, key: &str) -> bool {
        self.mentions(key) && !self.past && SUMMARIES.contains(&self.head())
    }
}

fn named(words: &[String], noun: &str) -> bool {
    entity_in(noun).is_some_and(|(n, _)| words.iter().any(|w| entity_in(w).is_some_and(|(m, _)| m == n)))
}

/// Whether a name's last word is a part of what its other words name.
fn is_part(words: &[String]) -> bool {
    let Some((last, before)) = words.split_last() else { return false };
    let whole = |w: &String| {
        ["line", "cart", "basket", "checkout", "refund", "return", "quote", "note"].contains(&w.as_str())
            || entity_in(w).is_some_and(|(noun, _)| !is_thing(noun))
    };
    PARTS.contains(&last.as_str()) && before.iter().any(whole)
}

/// Whether a subject is a thing with attributes, rather than something that happened.
pub(crate) fn is_thing(noun: &str) -> bool {
    !CASES.contains(&noun) && !RECORDS.contains(&noun)
}

/// Whether a subject records what happened to others, so that it comes behind them.
pub(crate) fn is_record(noun: &str) -> bool {
    RECORDS.contains(&noun)
}

/// What a key is of, in words: `["order", "line"]` in `order_line_id`, `["customer"]` in `customerid`; `id` alone is of
/// nothing.
pub(crate) fn key_noun(name: &str) -> Vec<String> {
    let mut all = words(name);
    match all.last() {
        Some(last) if KEY_WORDS.contains(&last.as_str()) => {
            all.pop();
        }
        Some(last) => {
            let stem = last.strip_suffix("id").filter(|s| entity_in(s).is_some()).map(str::to_string);
            if let (Some(stem), Some(last)) = (stem, all.last_mut()) {
                *last = stem;
            }
        }
        None => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_found_in_names() {
        for (name, entity) in [
            ("customer_id", Some("customer")),
            ("cust_id", Some("customer")),
            ("customerID", Some("customer")),
            ("CustomerNo", Some("customer")),
            ("userid", Some("user")),
            ("account", Some("account")),
            ("fullVisitorId", Some("visitor")),
            ("package_id", None),
            ("customer_segment", None),
            ("id", None),
        ] {
            assert_eq!(entity_of(name).map(|e| e.0), entity, "{name}");
        }
    }

    #[test]
    fn files_say_what_their_rows_are() {
        for (stem, name, thing, recorded) in [
            ("customers", "customer", true, false),
            ("crm_accounts_data", "account", true, false),
            ("InvoiceLine", "invoice_line", false, false),
            ("ProductLines", "product_line", false, false),
            ("order_items", "order_item", false, false),
            ("inventory_item_data", "item", true, false),
            ("orders_2025_01", "order", false, true),
            ("account_history_data", "account", false, false),
            ("people", "person", true, false),
            ("plans", "plan", true, false),
            ("payments", "payment", false, false),
        ] {
            let own = Own::of(stem);
            assert_eq!((own.name.as_str(), own.is_thing(), own.is_recorded()), (name, thing, recorded), "{stem}");
        }
        let columns = ["customer_id", "order_id", "amount"].map(str::to_string);
        assert_eq!(row_key("orders", &columns).as_deref(), Some("order_id"));
        assert_eq!((row_key("sales", &columns), row_key("order_history", &columns)), (None, None));
    }

    #[test]
    fn names_of_links_mention_what_they_link() {
        let link = Own::of("deal_contact_data");
        assert!(link.mentions("deal_id") && !link.is_key("deal_id") && link.is_key("contact_id"));
        assert!(Own::of("customer_summary").sums_up("customerID") && !Own::of("order_tag").sums_up("order_id"));
    }
}
