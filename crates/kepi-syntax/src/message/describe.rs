//! What a reader of a message calls each rule of the grammar.

use crate::grammar::Rule;

const VALUE: &str = "a value";
const OPERATOR: &str = "an operator";
const CLAUSE: &str = "a clause such as `by`, `per`, `where` or `last 12 months`";
const DEFINITION: &str = "a definition such as `metric` or `event`";
const UNIT: &str = "a unit such as `months`";
const WINDOW: &str = "a window such as `last 12 months`";

/// Returns in plain words what could stand at a place, each said once, the general before the particular.
pub(super) fn expected(rules: &[Rule]) -> Vec<&'static str> {
    let has = |words: &str| rules.iter().any(|rule| describe(*rule) == words);
    let ends = rules.contains(&Rule::EOI);
    let mut expected = Vec::new();
    for rule in rules {
        let words = describe(*rule);
        let is_particular = match rule {
            // What must not stand there is no help.
            Rule::reserved | Rule::follower | Rule::beside => true,
            // Behind the end of a statement anything may begin.
            Rule::query | Rule::k_target => ends,
            _ if words == DEFINITION => ends,
            Rule::k_in | Rule::k_not | Rule::field_of => has(OPERATOR),
            Rule::by
            | Rule::per
            | Rule::k_by
            | Rule::k_per
            | Rule::k_where
            | Rule::filter
            | Rule::k_at
            | Rule::moment
            | Rule::k_from
            | Rule::k_during
            | Rule::k_until
            | Rule::during
            | Rule::window
            | Rule::k_last
            | Rule::k_this
            | Rule::k_since => has(CLAUSE),
            _ => false,
        };
        if !is_particular && !expected.contains(&words) {
            expected.push(words);
        }
    }
    expected
}

/// Says a rule's name in plain words. Exhaustive on purpose: a new rule does not compile until someone has found
/// words for it. Rules that a reader need not tell apart share their words and are said once.
pub(super) fn describe(rule: Rule) -> &'static str {
    match rule {
        Rule::EOI => "the end",
        Rule::WHITESPACE | Rule::COMMENT | Rule::blank | Rule::gap => "a blank",
        Rule::statements | Rule::statement => "a statement",
        Rule::one | Rule::query => "a query",
        Rule::letter | Rule::more | Rule::ticked | Rule::word | Rule::name | Rule::path => "a name",
        Rule::reserved | Rule::follower | Rule::beside => "a word of the language",
        Rule::open => "`(`",
        Rule::close => "`)`",
        Rule::begin => "`{`",
        Rule::end => "`}`",
        Rule::comma => "`,`",
        Rule::bracket => "`[`",
        Rule::unbracket => "`]`",
        Rule::colon => "`:`",
        Rule::equals => "`=`",
        Rule::arrow => "`->`",
        Rule::k_and | Rule::k_or | Rule::k_otherwise | Rule::k_is | Rule::matches | Rule::compare => OPERATOR,
        Rule::plus | Rule::minus | Rule::times | Rule::divided => OPERATOR,
        Rule::k_not => "`not`",
        Rule::k_in => "`in`",
        Rule::k_as => "`as` and a name",
        Rule::k_at => "`at`",
        Rule::k_by => "`by`",
        Rule::k_case => VALUE,
        Rule::k_during => "`during` and a period",
        Rule::k_each => "`each` and a period",
        Rule::k_else => "`else`",
        Rule::k_every => "`every`",
        Rule::k_fill => CLAUSE,
        Rule::k_for => "`for` and a length such as `12 months`",
        Rule::k_from => "`from`",
        Rule::k_gives => "`gives` and a value",
        Rule::k_having => CLAUSE,
        Rule::k_into => "`into` and a column",
        Rule::k_key => "`key` and a field",
        Rule::k_last => WINDOW,
        Rule::k_limit => CLAUSE,
        Rule::k_of => "`of` and a name",
        Rule::k_on => "`on` and a metric",
        Rule::k_order => CLAUSE,
        Rule::k_over => "`over` and a time",
        Rule::k_per => "`per`",
        Rule::k_plugin => "`plugin` and its name",
        Rule::k_reach => "`reach` and a value",
        Rule::k_review => "`review` and how often",
        Rule::k_show => "`show`",
        Rule::k_since => WINDOW,
        Rule::k_starts => "`starts` and text in quotes",
        Rule::k_then => "`then`",
        Rule::k_this => WINDOW,
        Rule::k_until => "`until`",
        Rule::k_vs => CLAUSE,
        Rule::k_when => "`when`",
        Rule::k_where => "`where` and a condition",
        Rule::k_with => "`with` and attributes",
        Rule::k_within => VALUE,
        Rule::k_without => "`without` and an event",
        Rule::k_history => "`history`",
        Rule::k_given => "`given`",
        Rule::k_expect => "`expect`",
        Rule::k_merge => "`merge`",
        Rule::k_target => "`target`",
        Rule::k_module | Rule::k_use | Rule::k_set | Rule::k_calendar | Rule::k_entity => DEFINITION,
        Rule::k_event | Rule::k_state | Rule::k_measure | Rule::k_segment | Rule::k_dimension => DEFINITION,
        Rule::k_metric | Rule::k_function | Rule::k_source | Rule::k_report | Rule::k_test => DEFINITION,
        Rule::number => "a number",
        Rule::unit => UNIT,
        Rule::currency => "a currency such as `EUR`",
        Rule::points | Rule::percent => OPERATOR,
        Rule::length | Rule::several => "a length such as `12 months`",
        Rule::quantity => VALUE,
        Rule::full_day | Rule::date | Rule::zone => "a date such as `2026-01-31`",
        Rule::period => "a period such as `2026`, `2026-03` or `2026-Q1`",
        Rule::string => "text in quotes",
        Rule::yes_no | Rule::value | Rule::group | Rule::case | Rule::reference | Rule::factor => VALUE,
        Rule::expr | Rule::conjunct | Rule::negation | Rule::test_of | Rule::filled | Rule::sum => VALUE,
        Rule::product | Rule::argument | Rule::named | Rule::chain | Rule::scoped | Rule::item => VALUE,
        Rule::missing => "`missing`",
        Rule::known => "`known`",
        Rule::list => "a list such as `[\"a\", \"b\"]`",
        Rule::field_of => "`.` and a field",
        Rule::call => "arguments in parentheses",
        Rule::avoid => "`without` and an event",
        Rule::inner_per => "`per` and a name",
        Rule::filter => "`where` and a condition",
        Rule::over => "`over` and a time",
        Rule::over_period => "`period`",
        Rule::all_time => "`all time`",
        Rule::grain => "a period such as `month`, or a name",
        Rule::clause | Rule::having | Rule::order | Rule::limit | Rule::fill | Rule::versus => CLAUSE,
        Rule::by => "`by` and a label",
        Rule::per => "`per` and a period",
        Rule::during | Rule::window => WINDOW,
        Rule::against | Rule::previous | Rule::goal => "`previous`, `target` or a period",
        Rule::aligned => "`aligned by weekday`",
        Rule::key => VALUE,
        Rule::stretch => "a length such as `12 months`",
        Rule::ascending => "`asc` or `desc`",
        Rule::at_most => "a number of rows",
        Rule::with_other => "`with other`",
        Rule::fill_previous => "`previous`",
        Rule::currency_of => "`in` and a currency",
        Rule::moment => "`at` and a date",
        Rule::to_date => "`to date`",
        Rule::bound => "a date or a period such as `2026-03`",
        Rule::now => "`now`",
        Rule::module | Rule::uses | Rule::setting | Rule::calendar | Rule::entity | Rule::event => DEFINITION,
        Rule::state | Rule::measure | Rule::segment | Rule::dimension | Rule::metric => DEFINITION,
        Rule::function | Rule::source | Rule::target | Rule::report | Rule::test => DEFINITION,
        Rule::rule_of => "a rule such as `year starts \"april\"`",
        Rule::named_by_start => "`named by start`",
        Rule::block => "fields in braces",
        Rule::alone => "a name",
        Rule::field => "a field with its type, such as `amount: money(EUR)`",
        Rule::type_of => "a type such as `money(EUR)`",
        Rule::lasting => "`from` and an event",
        Rule::parameters | Rule::parameter => "parameters in parentheses",
        Rule::with | Rule::pair => "`with` and attributes",
        Rule::merge => "`merge`",
        Rule::mapping => "what is filled, such as `orders: at day, amount`",
        Rule::part | Rule::role | Rule::from_column | Rule::column => "a column",
        Rule::total => "`during` and a period",
        Rule::level => "`by` and a date",
        Rule::given => "`given` and rows",
        Rule::columns => "the columns in parentheses",
        Rule::row => "a row in parentheses",
        Rule::expect => "`expect` and a query",
    }
}
