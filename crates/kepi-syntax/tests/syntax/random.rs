//! Random trees: everything that a text can say, with awkward names.

use kepi_syntax::Span;
use kepi_syntax::ast::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

/// A name for any place: plain, a word of the language, of another script, or in need of backticks.
pub(crate) fn name() -> BoxedStrategy<Name> {
    const WORDS: &[&str] = &[
        "a",
        "b",
        "orders",
        "customer",
        "x_1",
        "año",
        "名前",
        "Survey date",
        "1st",
        "a.b",
        "by",
        "per",
        "where",
        "show",
        "case",
        "not",
        "missing",
        "within",
        "from",
        "last",
        "this",
        "at",
        "for",
        "matches",
        "reach",
        "order",
        "each",
        "every",
        "period",
        "all",
        "now",
        "key",
        "of",
        "to",
        "until",
        "state",
        "metric",
        "target",
        "test",
        "history",
        "points",
        "day",
        "EUR",
        "previous",
        "asc",
        "desc",
        "known",
        "id",
        "merge",
        "review",
        "date",
        "aligned",
        "use",
        "plugin",
        "module",
        "with",
        "yes",
        "is",
        "k",
        "_",
    ];
    prop::sample::select(WORDS).prop_map(|text| Name { text: text.to_owned(), span: Span::default() }).boxed()
}

fn path() -> BoxedStrategy<Path> {
    vec(name(), 1..3).prop_map(|parts| Path { parts, span: Span::default() }).boxed()
}

fn number() -> BoxedStrategy<String> {
    prop::sample::select(&["0", "1", "12", "1_000", "2.5", "100k", "1.2M", "3bn"][..]).prop_map(str::to_owned).boxed()
}

fn unit() -> BoxedStrategy<TimeUnit> {
    use TimeUnit::*;
    prop::sample::select(&[Second, Minute, Hour, Day, Week, Month, Quarter, Year][..]).boxed()
}

fn date() -> BoxedStrategy<DateTime> {
    let all = &["2026-01-31", "2024-02-29", "2025-03-01T12:00", "2025-03-01T12:00:01.5Z", "2025-03-01T00:00:00-03:00"];
    prop::sample::select(&all[..]).prop_map(|text| DateTime { text: text.to_owned(), span: Span::default() }).boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z \"\\\\#{}()\n\t`ñn]{0,8}",
        prop::sample::select(&["", "EU", "\\d+", "\\", "\\\\n", "a\"b", "# no comment", "\r\n"][..])
            .prop_map(str::to_owned),
    ]
    .boxed()
}

fn quantity() -> BoxedStrategy<ExprKind> {
    let unit = prop_oneof![
        Just(UnitWord::Percent),
        Just(UnitWord::Points),
        unit().prop_map(UnitWord::Time),
        Just(UnitWord::Currency("USD".to_owned())),
    ];
    (number(), of(unit)).prop_map(|(number, unit)| ExprKind::Quantity { number, unit }).boxed()
}

fn plain(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

/// Any expression.
pub(crate) fn expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        3 => path().prop_map(ExprKind::Path),
        1 => quantity(),
        1 => text().prop_map(ExprKind::Text),
        1 => any::<bool>().prop_map(ExprKind::Bool),
        1 => Just(ExprKind::Missing),
        1 => date().prop_map(ExprKind::Date),
    ]
    .prop_map(plain);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let list = || vec(inner.clone(), 0..3).prop_map(ExprKind::List);
        let call = || {
            (path(), vec(argument(inner.clone()), 0..4))
                .prop_map(|(function, arguments)| ExprKind::Call { function, arguments })
        };
        use BinaryOp::*;
        let ops = &[
            Or,
            And,
            Equal,
            NotEqual,
            Less,
            LessEqual,
            Greater,
            GreaterEqual,
            Matches,
            Otherwise,
            Add,
            Subtract,
            Multiply,
            Divide,
        ];
        prop_oneof![
            6 => (prop::sample::select(&ops[..]), boxed(), boxed())
                .prop_map(|(op, left, right)| ExprKind::Binary { op, left, right }),
            4 => call(),
            1 => (call(), vec(name(), 1..3)).prop_map(|(call, names)| {
                names.into_iter().fold(call, |of, name| ExprKind::Field { of: Box::new(plain(of)), name })
            }),
            1 => list(),
            1 => boxed().prop_map(ExprKind::Negate),
            1 => boxed().prop_map(ExprKind::Not),
            1 => (boxed(), list(), any::<bool>())
                .prop_map(|(value, list, negated)| ExprKind::In { value, list: Box::new(plain(list)), negated }),
            1 => (boxed(), any::<bool>()).prop_map(|(value, negated)| ExprKind::IsMissing { value, negated }),
            1 => (vec((inner.clone(), inner.clone()), 1..3), of(boxed()))
                .prop_map(|(whens, otherwise)| ExprKind::Case { whens, otherwise }),
        ]
        .prop_map(plain)
    })
    .boxed()
}

fn argument(inner: BoxedStrategy<Expr>) -> BoxedStrategy<Argument> {
    prop_oneof![
        4 => chain(inner.clone()).prop_map(Argument::Plain),
        1 => inner.clone().prop_map(Argument::Within),
        1 => (name(), name()).prop_map(|(name, word)| Argument::Named { name, value: NamedValue::Word(word) }),
        1 => (name(), chain(inner)).prop_map(|(name, chain)| Argument::Named { name, value: NamedValue::Chain(chain) }),
    ]
    .boxed()
}

fn chain(inner: BoxedStrategy<Expr>) -> BoxedStrategy<Chain> {
    let link = (of(scoped(inner.clone())), scoped(inner.clone())).prop_map(|(without, step)| Link { without, step });
    (scoped(inner), prop_oneof![3 => Just(0_usize), 1 => 1..3_usize].prop_flat_map(move |n| vec(link.clone(), n)))
        .prop_map(|(first, rest)| Chain { first, rest })
        .boxed()
}

fn scoped(inner: BoxedStrategy<Expr>) -> BoxedStrategy<Scoped> {
    let per = (any::<bool>(), vec(path(), 1..3)).prop_map(|(every, grains)| InnerPer { every, grains });
    let over = prop_oneof![Just(Over::Period), Just(Over::AllTime), window().prop_map(Over::Window)];
    (
        inner.clone(),
        prop::option::weighted(0.2, per),
        prop::option::weighted(0.2, inner),
        prop::option::weighted(0.2, over),
    )
        .prop_map(|(value, per, filter, over)| Scoped { value, per, filter, over, span: Span::default() })
        .boxed()
}

fn length() -> BoxedStrategy<Length> {
    (number(), unit()).prop_map(|(number, unit)| Length { number, unit, span: Span::default() }).boxed()
}

fn period() -> BoxedStrategy<(Option<Name>, String)> {
    (of(name()), prop::sample::select(&["2025", "2025-03", "2025-Q3", "2025-W07"][..]).prop_map(str::to_owned)).boxed()
}

fn bound() -> BoxedStrategy<Bound> {
    prop_oneof![
        date().prop_map(Bound::Date),
        period().prop_map(|(calendar, text)| Bound::Period { calendar, text, span: Span::default() }),
        Just(Bound::Now(Span::default())),
    ]
    .boxed()
}

fn window() -> BoxedStrategy<Window> {
    prop_oneof![
        (length(), any::<bool>()).prop_map(|(length, to_date)| Window::Last { length, to_date }),
        (number(), name(), name(), any::<bool>()).prop_map(|(number, calendar, unit, to_date)| {
            let grain = Path { parts: vec![calendar, unit], span: Span::default() };
            Window::LastOf { number, grain, to_date }
        }),
        (path(), any::<bool>()).prop_map(|(grain, to_date)| Window::This { grain, to_date }),
        bound().prop_map(Window::During),
        (bound(), of(bound())).prop_map(|(from, until)| Window::Since { from, until }),
        (bound(), bound()).prop_map(|(from, until)| Window::FromUntil { from, until }),
        bound().prop_map(Window::Until),
    ]
    .boxed()
}

fn item() -> BoxedStrategy<Item> {
    (expr(), prop::option::weighted(0.3, name())).prop_map(|(value, alias)| Item { value, alias }).boxed()
}

/// Any query.
pub(crate) fn query() -> BoxedStrategy<Query> {
    let against = prop_oneof![
        (of(path()), any::<bool>()).prop_map(|(grain, aligned)| Against::Previous {
            grain,
            aligned,
            span: Span::default()
        }),
        period().prop_map(|(calendar, text)| Against::Period { calendar, text, span: Span::default() }),
        of(path()).prop_map(|name| Against::Target { name, span: Span::default() }),
    ];
    let key = (expr(), any::<bool>()).prop_map(|(value, descending)| OrderKey { value, descending });
    let limit =
        any::<bool>().prop_map(|with_other| Limit { number: "5".to_owned(), with_other, span: Span::default() });
    let fill = prop_oneof![
        (quantity(), any::<bool>()).prop_map(|(kind, negated)| {
            Fill::Value(if negated { plain(ExprKind::Negate(Box::new(plain(kind)))) } else { plain(kind) })
        }),
        Just(Fill::Missing),
        Just(Fill::Previous),
    ];
    let currency = of(Just(Name { text: "USD".to_owned(), span: Span::default() }));
    (
        (
            vec(item(), 1..3),
            vec(item(), 0..2),
            of(path()),
            prop::option::weighted(0.3, expr()),
            of(window()),
            of(bound()),
        ),
        (vec(against, 0..2), prop::option::weighted(0.2, expr()), vec(key, 0..2), of(limit), of(fill), currency),
    )
        .prop_map(|((items, by, per, filter, window, moment), (versus, having, order, limit, fill, currency))| Query {
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
            currency,
            span: Span::default(),
        })
        .boxed()
}

fn pairs() -> BoxedStrategy<Vec<Pair>> {
    vec((name(), expr()).prop_map(|(name, value)| Pair { name, value }), 0..3).boxed()
}

fn ty() -> BoxedStrategy<TypeName> {
    (name(), of(name()), of(name()))
        .prop_map(|(name, argument, per)| TypeName { name, argument, per, span: Span::default() })
        .boxed()
}

fn doc() -> BoxedStrategy<Option<String>> {
    prop::option::weighted(0.2, prop::sample::select(&["First.", "Two\nlines.", "`a` # b"][..]).prop_map(str::to_owned))
        .boxed()
}

fn fields() -> BoxedStrategy<Vec<Field>> {
    let field =
        (doc(), name(), ty(), any::<bool>()).prop_map(|(doc, name, ty, history)| Field { doc, name, ty, history });
    vec(field, 0..4).boxed()
}

fn parameters(least: usize) -> BoxedStrategy<Vec<Parameter>> {
    let parameter = (name(), of(ty()), of(expr())).prop_map(|(name, ty, default)| Parameter { name, ty, default });
    vec(parameter, least..3).boxed()
}

fn definitions() -> BoxedStrategy<StatementKind> {
    (0..4_u8, name(), parameters(0), name(), of(ty()), expr(), pairs())
        .prop_map(|(which, name, parameters, of, ty, value, with)| {
            let bare = Definition { name, parameters: vec![], of: None, ty: None, value, with };
            match which {
                0 => StatementKind::Measure(bare),
                1 => StatementKind::Segment(Definition { parameters, of: Some(of), ..bare }),
                2 => StatementKind::Dimension(Definition { parameters, of: Some(of), ..bare }),
                _ => StatementKind::Metric(Definition { parameters, ty, ..bare }),
            }
        })
        .boxed()
}

fn part() -> BoxedStrategy<Part> {
    use Role::*;
    prop_oneof![
        (prop::sample::select(&[At, Id, Key, From, Until, To][..]), name())
            .prop_map(|(role, column)| Part::Role { role, column }),
        (name(), name(), any::<bool>()).prop_map(|(field, column, of)| Part::Column { field, column, of }),
        (name(), expr()).prop_map(|(field, value)| Part::Computed { field, value }),
    ]
    .boxed()
}

fn source() -> BoxedStrategy<StatementKind> {
    let mapping =
        (path(), vec(part(), 1..4), prop::option::weighted(0.3, expr())).prop_map(|(target, parts, filter)| {
            SourceItem::Mapping(Mapping { target, parts, filter, span: Span::default() })
        });
    let merge = (name(), name(), name()).prop_map(|(entity, column, into)| SourceItem::Merge { entity, column, into });
    (name(), text(), pairs(), vec(prop_oneof![3 => mapping, 1 => merge], 0..3))
        .prop_map(|(name, from, with, items)| StatementKind::Source(Source { name, from, with, items }))
        .boxed()
}

fn target() -> BoxedStrategy<StatementKind> {
    let goal = prop_oneof![
        (bound(), expr(), of(path())).prop_map(|(during, reach, each)| Goal::Total { during, reach, each }),
        (date(), expr(), of((expr(), date()))).prop_map(|(by, reach, from)| Goal::Level { by, reach, from }),
    ];
    (name(), expr(), prop::option::weighted(0.3, expr()), goal, of(name()), pairs())
        .prop_map(|(name, on, filter, goal, review, with)| {
            StatementKind::Target(Target { name, on, filter, goal, review, with })
        })
        .boxed()
}

fn test() -> BoxedStrategy<StatementKind> {
    let rows = || vec(vec(expr(), 1..3), 1..3);
    let given = (path(), vec(name(), 1..3), rows()).prop_map(|(event, columns, rows)| Given {
        event,
        columns,
        rows,
        span: Span::default(),
    });
    let expect = (query(), rows()).prop_map(|(query, gives)| Expect { query, gives, span: Span::default() });
    (text(), of(date()), vec(given, 0..2), vec(expect, 1..3))
        .prop_map(|(title, now, given, expect)| StatementKind::Test(Test { title, now, given, expect }))
        .boxed()
}

fn state() -> BoxedStrategy<StatementKind> {
    // `from a over since 2025 until …` would read the end of the state as that of the window.
    let from = || {
        scoped(expr()).prop_map(|scoped| match scoped.over {
            Some(Over::Window(Window::Since { until: None, .. })) => Scoped { over: None, ..scoped },
            _ => scoped,
        })
    };
    let body = prop_oneof![
        (from(), scoped(expr())).prop_map(|(from, until)| StateBody::From { from, until }),
        (from(), length()).prop_map(|(from, length)| StateBody::For { from, length }),
        (expr(), of(scoped(expr()))).prop_map(|(value, until)| StateBody::Value { value, until }),
        fields().prop_map(|fields| StateBody::Stored { fields }),
    ];
    (name(), name(), body, pairs())
        .prop_map(|(name, of, body, with)| {
            let with = if matches!(body, StateBody::Stored { .. }) { vec![] } else { with };
            StatementKind::State(State { name, of, body, with })
        })
        .boxed()
}

fn head() -> BoxedStrategy<StatementKind> {
    let rule = prop_oneof![
        (prop::sample::select(&["year", "week", "days"][..]), text()).prop_map(|(unit, start)| CalendarRule::Starts(
            Name { text: unit.to_owned(), span: Span::default() },
            start
        )),
        Just(CalendarRule::NamedByStart),
    ];
    let with_rules = vec(rule, 1..3).prop_map(|rules| (rules, None));
    let calendar = prop_oneof![with_rules, text().prop_map(|from| (vec![], Some(from)))];
    prop_oneof![
        path().prop_map(StatementKind::Module),
        (path(), of(name())).prop_map(|(path, alias)| StatementKind::Use { path, plugin: None, alias }),
        (text(), name()).prop_map(|(plugin, alias)| {
            let parts = vec![Name { text: plugin.clone(), span: Span::default() }];
            let path = Path { parts, span: Span::default() };
            StatementKind::Use { path, plugin: Some(plugin), alias: Some(alias) }
        }),
        (name(), expr()).prop_map(|(name, value)| StatementKind::Set { name, value }),
        (name(), calendar).prop_map(|(name, (rules, from))| StatementKind::Calendar(Calendar { name, rules, from })),
    ]
    .boxed()
}

fn statement() -> BoxedStrategy<Statement> {
    let entity = (name(), of(name()), of(name()), fields())
        .prop_map(|(name, key, from, fields)| StatementKind::Entity(Entity { name, key, from, fields }));
    let event = prop_oneof![
        (vec(name(), 0..3), of(name()), fields()).prop_map(|(of, at, fields)| EventBody::Stored { of, at, fields }),
        (scoped(expr()), pairs()).prop_map(|(value, with)| EventBody::Derived { value, with }),
    ];
    let event = (name(), event).prop_map(|(name, body)| StatementKind::Event(Event { name, body }));
    let function = (name(), parameters(1), expr())
        .prop_map(|(name, parameters, value)| StatementKind::Function(Function { name, parameters, value }));
    let report = (name(), of(path()), pairs(), vec(query(), 1..3))
        .prop_map(|(name, every, with, queries)| StatementKind::Report(Report { name, every, with, queries }));
    let kind = prop_oneof![
        head(),
        entity,
        event,
        state(),
        definitions(),
        function,
        source(),
        target(),
        report,
        test(),
        query().prop_map(StatementKind::Query),
    ];
    (doc(), kind).prop_map(|(doc, kind)| Statement { doc, kind, span: Span::default() }).boxed()
}

/// Any file of a few statements.
pub(crate) fn file() -> BoxedStrategy<File> {
    vec(statement(), 1..4).prop_map(|statements| File { statements }).boxed()
}
