//! The words of the language: which are reserved, which begin a statement, which only follow an expression.

/// Words that are never a bare name; in backticks they are.
pub const RESERVED: &[&str] = &[
    "and",
    "as",
    "by",
    "case",
    "during",
    "else",
    "expect",
    "fill",
    "gives",
    "having",
    "in",
    "is",
    "limit",
    "missing",
    "no",
    "not",
    "or",
    "otherwise",
    "over",
    "per",
    "show",
    "since",
    "then",
    "until",
    "vs",
    "when",
    "where",
    "with",
    "without",
    "yes",
];

/// Words that begin a definition.
pub(crate) const DEFINITIONS: &[&str] = &[
    "module",
    "use",
    "set",
    "calendar",
    "entity",
    "event",
    "state",
    "measure",
    "segment",
    "dimension",
    "metric",
    "function",
    "source",
    "target",
    "report",
    "test",
];

/// Words that may follow an expression although they are names as well.
pub(crate) const FOLLOWERS: &[&str] = &[
    "aligned", "asc", "at", "desc", "each", "for", "from", "last", "matches", "order", "reach", "review", "this", "to",
];

/// Every word of the language with what it does in one line, for completion; in alphabetical order.
pub const KEYWORDS: &[(&str, &str)] = &[
    ("aligned by weekday", "shifts `vs previous year` by 364 days, so that Mondays meet Mondays"),
    ("and", "both conditions hold"),
    ("as", "names a shown value or a label"),
    ("asc", "smallest first, in `order by`"),
    ("at", "measures at one moment: `at 2026-06-30`"),
    ("by", "one row per label: `by region`"),
    ("calendar", "declares when years and weeks begin: `calendar fiscal = year starts \"april\"`"),
    ("case", "chooses a value: `case when a then b else c`"),
    ("desc", "largest first, in `order by`"),
    ("dimension", "declares a label: `dimension size of orders = …`"),
    ("during", "the window is a period: `during 2025-Q3`"),
    ("each", "a target for each period: `reach 100k EUR each month`"),
    ("else", "the value of a `case` when no condition holds"),
    ("entity", "declares who or what KPIs are about: `entity customer key id { … }`"),
    ("event", "declares what happened at points in time: `event orders of customer at ordered { … }`"),
    ("every", "keeps groups without rows: `per every customer`; or how often a report is due"),
    ("expect", "what a test expects: `expect QUERY gives VALUE`"),
    ("fill", "the value of periods and labels without rows: `fill 0`"),
    ("for", "how long a state lasts: `from orders for 12 months`"),
    ("from", "the window from A until B: `from 2025-01-01 until 2025-04-01`"),
    ("function", "declares a function: `function margin_pct(a, b) = …`"),
    ("given", "the rows of a test: `given orders (customer, ordered) (\"c1\", 2025-03-01)`"),
    ("gives", "the value that a test expects"),
    ("having", "keeps the rows of the answer that meet a condition"),
    ("history", "keeps an attribute as it was at each moment"),
    ("in", "one of a list: `region in [\"EU\", \"US\"]`; or the currency of the answer: `in USD`"),
    ("into", "the key that a merged key becomes: `merge customer a into b`"),
    ("is known", "there is a value"),
    ("is missing", "there is no value"),
    ("key", "the field that identifies an entity"),
    ("last", "the complete periods before the current one: `last 12 months`"),
    ("limit", "shows only the first rows: `limit 5 with other`"),
    ("matches", "a text meets a pattern: `email matches \"@\"`"),
    ("measure", "declares a value of an event: `measure revenue = orders.amount`"),
    ("merge", "joins two keys of an entity: `merge customer anonymous_id into user_id`"),
    ("metric", "declares a KPI: `metric cac : money = ratio(sum(spend.amount), count(new_customers))`"),
    ("missing", "no value"),
    ("module", "names the namespace of a file: `module crm`"),
    ("named by start", "a fiscal year has the name of the year in which it starts"),
    ("no", "false"),
    ("not", "the condition does not hold"),
    ("now", "the moment of the answer"),
    ("of", "whose it is: `event orders of customer`"),
    ("on", "the metric of a target: `target churn on churn_rate …`"),
    ("or", "one of two conditions holds"),
    ("order by", "sorts the answer: `order by revenue desc`"),
    ("otherwise", "the value where the first is missing: `a otherwise 0`"),
    ("over", "the time that an aggregate looks at: `over last 90 days`, `over period`, `over all time`"),
    ("per", "one row per period: `per month`; in parentheses one value per group: `per customer`"),
    ("reach", "the value that a target asks for"),
    ("report", "names a list of queries: `report monthly every month { show … }`"),
    ("review", "how often a target is looked at: `review monthly`"),
    ("segment", "declares a condition: `segment first_year of orders = age(new_customers) < 1 year`"),
    ("set", "sets an option of the project: `set timezone = \"Europe/Amsterdam\"`"),
    ("show", "begins a query: `show sum(revenue) by region per month`"),
    ("since", "the window from a date on: `since 2026-01-01`"),
    ("source", "maps the columns of a table to events and entities"),
    ("starts", "when a period of a calendar begins: `week starts \"monday\"`"),
    ("state", "declares what holds for a while: `state active of customer = from orders for 12 months`"),
    ("target", "declares a goal: `target churn on churn_rate by 2026-12-31 reach 2%`"),
    ("test", "declares rows and the answers expected of them"),
    ("then", "the value of a `case` when the condition holds"),
    ("this", "the running period: `this year`, `this month to date`"),
    ("to date", "up to now: `this year to date`"),
    ("until", "where a window or a state ends; the end itself is outside"),
    ("use", "brings in a module or plugin: `use crm.sales`, `use plugin \"acme.margins\" as margins`"),
    ("vs", "compares: `vs previous year`, `vs target`"),
    ("when", "a condition of a `case`"),
    ("where", "keeps the rows that meet a condition"),
    ("with", "attributes of a definition: `with owner = \"sales\"`"),
    ("within", "the time that a chain may take: `within 90 days`"),
    ("without", "forbids an event between two steps: `a -> b without x -> c`"),
    ("yes", "true"),
];

/// The built-in functions, to recognise a call without its parentheses.
pub(crate) const FUNCTIONS: &[&str] = &[
    "age",
    "approx_unique",
    "avg",
    "closing",
    "cohort",
    "conversion",
    "count",
    "ended",
    "first",
    "funnel",
    "growth",
    "kept",
    "last",
    "lifecycle",
    "max",
    "median",
    "min",
    "of_total",
    "opening",
    "percentile",
    "prior",
    "rank",
    "ratio",
    "retention",
    "running",
    "share",
    "started",
    "stays",
    "stddev",
    "sum",
    "time_in",
    "to_date",
    "total",
    "trailing",
    "unique",
];

/// Whether the word is reserved, in exactly this case.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Whether the text is a word by itself: a letter of any script or `_`, then letters, digits and marks.
pub(crate) fn is_word(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(begins_word) && letters.all(continues_word)
}

/// Whether a word may begin with this character.
pub(crate) fn begins_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || (!c.is_ascii() && pest::unicode::XID_START(c))
}

/// Whether a word may go on with this character.
pub(crate) fn continues_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || (!c.is_ascii() && pest::unicode::XID_CONTINUE(c))
}
