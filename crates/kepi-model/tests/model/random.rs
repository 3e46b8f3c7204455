//! Random trees over a small vocabulary: lowering says what is wrong and never panics, and what it lowers fits together.

use crate::shop::{now, plugins};
use kepi_model::catalog::{Catalog, ModelFile};
use kepi_model::core::{Formula, FormulaNode, Query as Core};
use kepi_model::settings::Settings;
use kepi_syntax::ast::*;
use kepi_syntax::{Severity, Span, parse_file, parse_query};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::sync::LazyLock;

const SHOP: &str = "module m\ncalendar fiscal = year starts \"april\"\n\
    entity customer key id from created { created: time  region: text  tier: text history  boss: customer }\n\
    entity campaign key id { kind: text }\n\
    event orders of customer, campaign at ordered { amount: money(EUR)  cost: money(USD)  kind: text  paid: bool  took: duration }\n\
    event leads of customer at day { source: text }\nevent spend of campaign at day { amount: money(EUR) }\n\
    event labels of customer { tag: text }\nevent swaps of customer at day { buyer: customer  price: money(currency)  currency: text }\n\
    event new_customers = first(orders) per customer\nstate active of customer = from orders for 12 months\n\
    measure revenue = orders.amount\nsegment young of orders = age(new_customers) < 1 year\n\
    segment big(least: money(EUR) = 5 EUR) of customer = sum(revenue) > least\n\
    dimension spent of customer = sum(revenue)\nmetric aov = ratio(sum(revenue), count(orders))\n\
    metric rate : percent = share(orders where paid)\nfunction half(x) = x / 2";

fn name() -> BoxedStrategy<Name> {
    const WORDS: &[&str] = &[
        "orders",
        "leads",
        "spend",
        "labels",
        "swaps",
        "new_customers",
        "customer",
        "campaign",
        "active",
        "revenue",
        "young",
        "big",
        "spent",
        "aov",
        "rate",
        "amount",
        "cost",
        "kind",
        "paid",
        "took",
        "region",
        "tier",
        "boss",
        "created",
        "at",
        "id",
        "buyer",
        "price",
        "currency",
        "tag",
        "now",
        "month",
        "fiscal",
        "x",
        "m",
        "ordres",
    ];
    select(WORDS).prop_map(|text| Name { text: text.to_owned(), span: Span::default() }).boxed()
}

fn path() -> BoxedStrategy<Path> {
    vec(name(), 1..=3).prop_map(|parts| Path { parts, span: Span::default() }).boxed()
}

fn function() -> BoxedStrategy<Path> {
    const FUNCTIONS: &[&str] = &[
        "count",
        "sum",
        "avg",
        "min",
        "median",
        "percentile",
        "first",
        "last",
        "unique",
        "share",
        "ratio",
        "age",
        "cohort",
        "round",
        "least",
        "lower",
        "concat",
        "month",
        "weekday",
        "half",
        "big",
        "aov",
        "stats.mode",
        "tax.net",
        "closing",
        "prior",
        "funnel",
        "nothing",
    ];
    select(FUNCTIONS)
        .prop_map(|text| {
            let parts = text.split('.').map(|t| Name { text: t.to_owned(), span: Span::default() }).collect();
            Path { parts, span: Span::default() }
        })
        .boxed()
}

fn plain(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn quantity() -> BoxedStrategy<ExprKind> {
    let unit = prop_oneof![
        Just(UnitWord::Percent),
        Just(UnitWord::Points),
        time_unit().prop_map(UnitWord::Time),
        select(&["EUR", "USD"][..]).prop_map(|c| UnitWord::Currency(c.to_owned())),
    ];
    let number = select(&["0", "1", "2.5", "95", "1_000", "3bn", "99999999999999999999999999999999999999"][..]);
    (number, weighted(0.7, unit)).prop_map(|(n, unit)| ExprKind::Quantity { number: n.to_owned(), unit }).boxed()
}

fn time_unit() -> BoxedStrategy<TimeUnit> {
    use TimeUnit::*;
    select(&[Second, Minute, Hour, Day, Week, Month, Quarter, Year][..]).boxed()
}

fn date() -> BoxedStrategy<DateTime> {
    select(&["2026-01-31", "2024-02-29", "2026-03-29T02:30", "2025-03-01T12:00:01.5Z", "9999-12-31", "-9999-01-01"][..])
        .prop_map(|text| DateTime { text: text.to_owned(), span: Span::default() })
        .boxed()
}

fn expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        5 => path().prop_map(ExprKind::Path),
        2 => quantity(),
        1 => select(&["EU", "", "("][..]).prop_map(|t| ExprKind::Text(t.to_owned())),
        1 => any::<bool>().prop_map(ExprKind::Bool),
        1 => Just(ExprKind::Missing),
        1 => date().prop_map(ExprKind::Date),
    ]
    .prop_map(plain);
    leaf.prop_recursive(4, 20, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let list = || vec(inner.clone(), 0..3).prop_map(ExprKind::List);
        use BinaryOp::*;
        let ops = &[
            Or, And, Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, Matches, Otherwise, Add, Subtract, Multiply,
            Divide,
        ];
        prop_oneof![
            6 => (select(&ops[..]), boxed(), boxed()).prop_map(|(op, left, right)| ExprKind::Binary { op, left, right }),
            8 => (function(), vec(argument(inner.clone()), 0..3))
                .prop_map(|(function, arguments)| ExprKind::Call { function, arguments }),
            1 => (boxed(), name()).prop_map(|(of, name)| ExprKind::Field { of, name }),
            1 => list(),
            1 => boxed().prop_map(ExprKind::Negate),
            1 => boxed().prop_map(ExprKind::Not),
            1 => (boxed(), list(), any::<bool>())
                .prop_map(|(value, list, negated)| ExprKind::In { value, list: Box::new(plain(list)), negated }),
            1 => (boxed(), any::<bool>()).prop_map(|(value, negated)| ExprKind::IsMissing { value, negated }),
            1 => (vec((inner.clone(), inner.clone()), 1..3), weighted(0.5, boxed()))
                .prop_map(|(whens, otherwise)| ExprKind::Case { whens, otherwise }),
        ]
        .prop_map(plain)
    })
    .boxed()
}

fn argument(inner: BoxedStrategy<Expr>) -> BoxedStrategy<Argument> {
    let chain = || {
        (scoped(inner.clone()), vec(scoped(inner.clone()), 0..2), any::<u8>()).prop_map(|(first, rest, few)| {
            let rest = if few < 230 { vec![] } else { rest };
            Chain { first, rest: rest.into_iter().map(|step| Link { without: None, step }).collect() }
        })
    };
    let known = select(&["per", "mode", "least", "x", "nothing"][..])
        .prop_map(|text| Name { text: text.to_owned(), span: Span::default() });
    prop_oneof![
        12 => chain().prop_map(Argument::Plain),
        1 => inner.clone().prop_map(Argument::Within),
        1 => (known.clone(), name()).prop_map(|(name, word)| Argument::Named { name, value: NamedValue::Word(word) }),
        1 => (known, chain()).prop_map(|(name, chain)| Argument::Named { name, value: NamedValue::Chain(chain) }),
    ]
    .boxed()
}

fn scoped(inner: BoxedStrategy<Expr>) -> BoxedStrategy<Scoped> {
    let per = (any::<bool>(), vec(path(), 1..3)).prop_map(|(every, grains)| InnerPer { every, grains });
    let over = prop_oneof![Just(Over::Period), Just(Over::AllTime), window().prop_map(Over::Window)];
    (inner.clone(), weighted(0.2, per), weighted(0.3, inner), weighted(0.1, over))
        .prop_map(|(value, per, filter, over)| Scoped { value, per, filter, over, span: Span::default() })
        .boxed()
}

fn length() -> BoxedStrategy<Length> {
    (select(&["0", "1", "12", "2.5", "1_000_000", "1bn"][..]), time_unit())
        .prop_map(|(number, unit)| Length { number: number.to_owned(), unit, span: Span::default() })
        .boxed()
}

fn bound() -> BoxedStrategy<Bound> {
    let text =
        select(&["2025", "2025-03", "2025-Q3", "2025-W53", "2025-W07", "0000", "9999", "9999-12", "2025-13"][..]);
    prop_oneof![
        date().prop_map(Bound::Date),
        (weighted(0.3, name()), text).prop_map(|(calendar, text)| Bound::Period {
            calendar,
            text: text.to_owned(),
            span: Span::default()
        }),
        Just(Bound::Now(Span::default())),
    ]
    .boxed()
}

fn window() -> BoxedStrategy<Window> {
    prop_oneof![
        (length(), any::<bool>()).prop_map(|(length, to_date)| Window::Last { length, to_date }),
        (grain(), any::<bool>()).prop_map(|(grain, to_date)| Window::This { grain, to_date }),
        bound().prop_map(Window::During),
        (bound(), weighted(0.5, bound())).prop_map(|(from, until)| Window::Since { from, until }),
        (bound(), bound()).prop_map(|(from, until)| Window::FromUntil { from, until }),
        bound().prop_map(Window::Until),
    ]
    .boxed()
}

fn grain() -> BoxedStrategy<Path> {
    select(&["month", "week", "fiscal.quarter", "hour", "customer", "second", "fortnight"][..])
        .prop_map(|text| {
            let parts = text.split('.').map(|t| Name { text: t.to_owned(), span: Span::default() }).collect();
            Path { parts, span: Span::default() }
        })
        .boxed()
}

fn item() -> BoxedStrategy<Item> {
    (expr(), weighted(0.3, name())).prop_map(|(value, alias)| Item { value, alias }).boxed()
}

fn query() -> BoxedStrategy<Query> {
    let against = prop_oneof![
        (weighted(0.5, grain()), any::<bool>()).prop_map(|(grain, aligned)| Against::Previous {
            grain,
            aligned,
            span: Span::default()
        }),
        weighted(0.3, grain()).prop_map(|name| Against::Target { name, span: Span::default() }),
        Just(Against::Period { calendar: None, text: "2024".to_owned(), span: Span::default() }),
    ];
    let key = (expr(), any::<bool>()).prop_map(|(value, descending)| OrderKey { value, descending });
    let limit = select(&["5", "0", "2.5", "99999999999999999999"][..]).prop_map(|n| Limit {
        number: n.to_owned(),
        with_other: true,
        span: Span::default(),
    });
    let fill = prop_oneof![expr().prop_map(Fill::Value), Just(Fill::Missing), Just(Fill::Previous)];
    (
        (vec(item(), 1..3), vec(item(), 0..2), weighted(0.4, grain()), weighted(0.3, expr()), weighted(0.4, window())),
        (weighted(0.1, bound()), vec(against, 0..2), weighted(0.2, expr()), vec(key, 0..2), weighted(0.2, limit)),
        weighted(0.2, fill),
    )
        .prop_map(|((items, by, per, filter, window), (moment, versus, having, order, limit), fill)| Query {
            items,
            by,
            per,
            filter,
            window,
            moment,
            versus,
            having,
            order,
            limit,
            fill,
            currency: None,
            span: Span::default(),
        })
        .boxed()
}

fn definition() -> BoxedStrategy<StatementKind> {
    let parameter = (name(), weighted(0.5, expr())).prop_map(|(name, default)| Parameter { name, ty: None, default });
    (0..5_u8, vec(parameter, 0..2), name(), expr(), scoped(expr()))
        .prop_map(|(which, parameters, of, value, event)| {
            let name = Name { text: "random".to_owned(), span: Span::default() };
            let bare = Definition { name: name.clone(), parameters: vec![], of: None, ty: None, value, with: vec![] };
            match which {
                0 => StatementKind::Measure(bare),
                1 => StatementKind::Segment(Definition { parameters, of: Some(of), ..bare }),
                2 => StatementKind::Dimension(Definition { parameters, of: Some(of), ..bare }),
                3 => StatementKind::Metric(Definition { parameters, ..bare }),
                _ => StatementKind::Event(Event { name, body: EventBody::Derived { value: event, with: vec![] } }),
            }
        })
        .boxed()
}

fn part() -> BoxedStrategy<Part> {
    use Role::*;
    prop_oneof![
        (select(&[At, Id, Key, From, Until, To][..]), name()).prop_map(|(role, column)| Part::Role { role, column }),
        (name(), name(), any::<bool>()).prop_map(|(field, column, of)| Part::Column { field, column, of }),
        (name(), expr()).prop_map(|(field, value)| Part::Computed { field, value }),
    ]
    .boxed()
}

fn source() -> BoxedStrategy<StatementKind> {
    (path(), vec(part(), 1..4), weighted(0.3, expr()))
        .prop_map(|(target, parts, filter)| {
            let items = vec![SourceItem::Mapping(Mapping { target, parts, filter, span: Span::default() })];
            let name = Name { text: "s".to_owned(), span: Span::default() };
            StatementKind::Source(Source { name, from: "s.csv".to_owned(), with: vec![], items })
        })
        .boxed()
}

/// The text of a query that is probably right, made of parts that fit more often than not.
fn likely() -> BoxedStrategy<String> {
    let pick = |texts: &'static [&'static str]| select(texts).prop_map(str::to_owned);
    let condition = pick(&[
        "kind = \"a\"",
        "amount > 5 EUR",
        "paid",
        "young",
        "customer.big(10 EUR)",
        "region != \"EU\"",
        "count(orders) = 1",
        "age(new_customers) < 1 year",
        "took >= 30 minutes",
        "last(leads.source) is known",
        "at >= 2025-01-01",
        "customer.spent > 9 EUR",
        "count(leads over last 90 days) in [1, 2]",
        "customer.boss.region is missing",
        "big",
    ])
    .boxed();
    let both = (condition.clone(), condition.clone(), any::<bool>())
        .prop_map(|(a, b, and)| format!("({a} {} not {b})", if and { "and" } else { "or" }));
    let condition = prop_oneof![3 => condition, 1 => both].boxed();
    let value = pick(&[
        "revenue",
        "orders.amount - orders.amount * 2",
        "orders.took",
        "orders.at - first(orders.at)",
        "orders.amount / 2",
        "half(orders.amount)",
        "least(orders.amount, 5 EUR)",
        "orders.at - customer.created",
        "orders.cost",
        "spend.amount",
        "new_customers.amount",
        "case when orders.paid then orders.amount else 0 EUR",
    ])
    .boxed();
    let scoped = (value, weighted(0.4, condition.clone()))
        .prop_map(|(value, filter)| filter.map_or(value.clone(), |f| format!("{value} where {f}")));
    let number = (pick(&["sum", "avg", "min", "max", "median", "stddev", "first", "last", "unique"]), scoped)
        .prop_map(|(function, scoped)| format!("{function}({scoped})"));
    let count =
        (pick(&["orders", "leads", "new_customers", "customer", "spend", "swaps"]), weighted(0.4, condition.clone()))
            .prop_map(|(event, filter)| {
                filter.map_or(format!("count({event})"), |f| format!("count({event} where {f})"))
            });
    let one = prop_oneof![3 => number, 3 => count, 1 => pick(&["aov", "rate", "share(orders where paid)"])].boxed();
    let two = (one.clone(), pick(&["/", "*", "+", "-", "otherwise"]), one.clone())
        .prop_map(|(a, op, b)| format!("{a} {op} {b}"));
    let formula = prop_oneof![3 => one, 1 => two].boxed();
    let label = pick(&[
        "region",
        "customer",
        "campaign",
        "kind",
        "customer.tier",
        "cohort(new_customers, month)",
        "young",
        "month(at)",
        "age(new_customers, fiscal.quarter)",
        "spent",
        "weekday(at)",
        "customer.big(1 EUR)",
    ]);
    let tail = pick(&[
        "",
        "last 3 months",
        "per week last 3 weeks to date",
        "per fiscal.quarter during fiscal.2026",
        "this year vs previous",
        "per month vs previous year",
        "since 2025-01",
        "per day during 2026-03 fill missing",
        "limit 3 with other",
    ]);
    (vec(formula.clone(), 1..3), weighted(0.5, label), weighted(0.3, condition), tail, weighted(0.2, formula))
        .prop_map(|(items, label, filter, tail, order)| {
            let mut text = format!("show {}", items.join(", "));
            for (word, clause) in [("by", label), ("where", filter), ("order by", order)] {
                text.extend(clause.map(|c| format!(" {word} {c}")));
            }
            format!("{text} {tail}")
        })
        .boxed()
}

static TREE: LazyLock<File> = LazyLock::new(|| parse_file(SHOP).0);
static MODEL: LazyLock<Catalog> = LazyLock::new(|| model(None));

fn model(extra: Option<StatementKind>) -> Catalog {
    let mut tree = TREE.clone();
    tree.statements.extend(extra.map(|kind| Statement { doc: None, kind, span: Span::default() }));
    Catalog::build(&[ModelFile { index: 0, tree }], Settings::default(), plugins()).0
}

fn fits(query: &Core, formula: &Formula) {
    match &formula.node {
        FormulaNode::Aggregate(index) => assert_eq!(query.aggregates[*index].unit.kind, formula.unit.kind),
        FormulaNode::Label(index) => assert!(*index < query.by.len()),
        FormulaNode::Call { args, .. } | FormulaNode::Plugin { args, .. } => args.iter().for_each(|a| fits(query, a)),
        FormulaNode::Case { whens, otherwise } => {
            whens.iter().for_each(|(when, then)| {
                fits(query, when);
                fits(query, then);
            });
            otherwise.iter().for_each(|o| fits(query, o));
        }
        FormulaNode::Rank { of, over } => {
            assert!(over.is_none_or(|label| label < query.by.len()));
            fits(query, of);
        }
        FormulaNode::Series { of, .. } => fits(query, of),
        FormulaNode::Const(_) | FormulaNode::Period => {}
    }
}

/// Asks a query; whether it has a meaning.
fn judge(query: &Query) -> bool {
    let catalog = &*MODEL;
    let (lowered, problems) = catalog.query(query, now(catalog), 0);
    let wrong = problems.iter().any(|p| p.severity == Severity::Error);
    assert_eq!(lowered.is_none(), wrong, "{problems:?}");
    for (index, problem) in problems.iter().enumerate() {
        assert!(!problems[..index].contains(problem), "said twice: {problem:?}");
    }
    let Some(core) = lowered else { return false };
    for (index, aggregate) in core.aggregates.iter().enumerate() {
        assert_eq!(aggregate.labels.len(), core.by.len());
        assert!(!core.aggregates[..index].contains(aggregate), "two equal aggregates: {}", core.text);
    }
    core.columns.iter().for_each(|c| fits(&core, &c.formula));
    true
}

#[test]
fn many_likely_queries_are_right() {
    let mut runner = TestRunner::deterministic();
    let texts: Vec<String> = (0..300).map(|_| likely().new_tree(&mut runner).unwrap().current()).collect();
    let right = texts.iter().filter(|text| parse_query(text).0.is_some_and(|query| judge(&query))).count();
    assert!(right > 60, "only {right} of {} have a meaning", texts.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_query_has_a_meaning_or_a_message(query in query()) {
        judge(&query);
    }

    #[test]
    fn a_likely_query_has_a_meaning_or_a_message(text in likely()) {
        let (query, problems) = parse_query(&text);
        prop_assert_eq!(problems, [], "{}", text);
        judge(&query.unwrap());
    }

    #[test]
    fn a_model_is_checked_whatever_it_says(definition in definition(), source in source()) {
        for kind in [definition, source] {
            let catalog = model(Some(kind));
            let problems = catalog.check(now(&catalog));
            for (index, problem) in problems.iter().enumerate() {
                prop_assert!(!problems[..index].contains(problem), "said twice: {:?}", problem);
            }
            catalog.list(now(&catalog));
            catalog.describe("random", now(&catalog));
            catalog.describe("m.random", now(&catalog));
        }
    }
}
