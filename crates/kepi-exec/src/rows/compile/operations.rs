//! Operators and functions, built-in and of plugins, as nodes of a program.

use crate::ExecError;
use crate::rows::choose::{Unions, common_type};
use crate::rows::column::Type;
use crate::rows::program::{Node, Program};
use crate::rows::text::{Cached, Map, Test, regex};
use crate::rows::times::Tables;
use crate::rows::{numbers, times};
use kepi_model::core::{self, Op, Row, RowNode};
use kepi_model::value::{Kind, Unit, Value};

impl Program {
    pub(super) fn call(&mut self, op: &Op, args: &[Row], unit: &Unit) -> Result<usize, ExecError> {
        if let Some(rewritten) = calendar_comparison(op, args) {
            return self.row(&rewritten);
        }
        match op {
            Op::In => return self.is_in(args, unit),
            Op::And | Op::Or | Op::Not => {
                let args = args.iter().map(|a| self.condition(a)).collect::<Result<Vec<_>, _>>()?;
                let key = format!("call {op:?} {args:?}");
                return Ok(self.add(key, Type::Bool, || Node::Call { op: op.clone(), args, digits: None }));
            }
            _ => {}
        }
        if let Some(tested) = self.text_test(op, args)? {
            return Ok(tested);
        }
        match (op, args) {
            (Op::PeriodsBetween(_), [to, from]) => {
                let args = vec![self.of_time(op, to, unit)?, self.of_time(op, from, unit)?];
                let key = format!("call {op:?} {args:?}");
                return Ok(self.add(key, Type::Decimal(0), || Node::Call { op: Op::Subtract, args, digits: None }));
            }
            (Op::AddSpan(_) | Op::Truncate(_), [of]) => return self.of_time(op, of, unit),
            _ => {}
        }
        let nodes = args.iter().map(|a| self.row(a)).collect::<Result<Vec<_>, _>>()?;
        self.operation(op, nodes, args, unit)
    }

    /// A function of one time. That of a first or last time is the first or last of the function's values, which costs
    /// less: the rows come in the order of time, the firsts of their subjects do not.
    pub(super) fn of_time(&mut self, op: &Op, of: &Row, unit: &Unit) -> Result<usize, ExecError> {
        if let RowNode::History(history) = &of.node
            && let core::Measure::First(_) | core::Measure::Last(_) = history.measure
        {
            return self.history(history, Some((op, unit)));
        }
        let node = self.row(of)?;
        self.time_node(op, node, unit)
    }

    pub(crate) fn time_node(&mut self, op: &Op, node: usize, unit: &Unit) -> Result<usize, ExecError> {
        let given = self.types[node].clone();
        match times::type_of(op, std::slice::from_ref(&given), unit) {
            Some(ty) if matches!(given, Type::Time | Type::Date | Type::Missing) => {
                let (op, args) = (op.clone(), vec![node]);
                let key = format!("of time {op:?} {args:?} {ty:?}");
                Ok(self.add(key, ty, || Node::Times { op, args, tables: Tables::default() }))
            }
            _ => Err(ExecError::Plan(format!("{op:?} does not take {}", given.words()))),
        }
    }

    pub(super) fn operation(
        &mut self,
        op: &Op,
        mut nodes: Vec<usize>,
        args: &[Row],
        unit: &Unit,
    ) -> Result<usize, ExecError> {
        let types =
            |program: &Program, nodes: &[usize]| nodes.iter().map(|&n| program.types[n].clone()).collect::<Vec<_>>();
        if nodes.len() < arity(op) {
            return Err(ExecError::Plan(format!("{op:?} has too few arguments")));
        }
        let all_ids = types(self, &nodes).iter().all(|t| matches!(t, Type::Id(_)));
        let some_text = types(self, &nodes).contains(&Type::Text);
        if is_text(op) || (some_text && !all_ids) {
            for node in &mut nodes {
                *node = self.as_text(*node)?;
            }
        }
        let of_types = types(self, &nodes);
        let (key, op2) = (format!("call {op:?} {nodes:?}"), op.clone());
        let missing = Value::Missing;
        let text_of = |i: usize| match args.get(i).map(|a| &a.node) {
            Some(RowNode::Const(Value::Text(text))) => Some(text.clone()),
            _ => None,
        };
        let digits = match args.get(1).map_or(&RowNode::Const(missing), |a| &a.node) {
            RowNode::Const(Value::Decimal { digits, scale: 0 }) if *op == Op::Round => i64::try_from(*digits).ok(),
            _ => None,
        };
        if *op == Op::Round && nodes.len() > 1 && digits.is_none() {
            return Err(ExecError::NotYet("rounding to a number of decimals that is not a constant".into()));
        }
        let map = match op {
            Op::Lower => Some(Map::Lower),
            Op::Upper => Some(Map::Upper),
            Op::Trim => Some(Map::Trim),
            Op::Replace => match text_of(1).zip(text_of(2)) {
                Some((from, to)) => Some(Map::Replace(from, to)),
                None => return Err(ExecError::NotYet("replacing a text that is not a constant".into())),
            },
            _ => None,
        };
        if let Some(map) = map {
            let of = nodes[0];
            return Ok(self.add(format!("map {map:?} {of}"), Type::Text, || Node::Map {
                of,
                map,
                cache: Cached::default(),
            }));
        }
        let known = |ty| (ty, Node::Call { op: op2.clone(), args: nodes.clone(), digits });
        let (ty, node) = match op {
            Op::Length => (Type::Decimal(0), Node::Length { of: nodes[0], cache: Cached::default() }),
            Op::Concat => known(Type::Text),
            Op::Otherwise => {
                (common_type(&of_types)?, Node::Otherwise { args: nodes.clone(), unions: Unions::default() })
            }
            Op::Least | Op::Greatest => {
                let greatest = *op == Op::Greatest;
                let unions = Unions::default();
                (common_type(&of_types)?, Node::Extreme { args: nodes.clone(), greatest, unions })
            }
            Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual | Op::IsMissing => {
                known(Type::Bool)
            }
            Op::Matches | Op::Contains | Op::StartsWith | Op::EndsWith => {
                return Err(ExecError::NotYet(format!("{op:?} with a text that is not a constant")));
            }
            // A difference of times is the time elapsed, however it is written.
            Op::Subtract if of_types.iter().all(|t| matches!(t, Type::Time | Type::Date)) => {
                return self.operation(&Op::Elapsed, nodes, args, unit);
            }
            _ => match (numbers::type_of(op, &of_types, digits), times::type_of(op, &of_types, unit)) {
                (Some(ty), _) if of_types.iter().all(Type::is_number) => known(ty),
                (_, Some(ty)) if of_types.iter().all(|t| matches!(t, Type::Time | Type::Date | Type::Missing)) => {
                    (ty, Node::Times { op: op.clone(), args: nodes.clone(), tables: Tables::default() })
                }
                _ => {
                    let given = of_types.iter().map(Type::words).collect::<Vec<_>>().join(" and ");
                    return Err(ExecError::Plan(format!("{op:?} does not take {given}")));
                }
            },
        };
        Ok(self.add(format!("{key} {ty:?}"), ty, || node))
    }

    pub(super) fn is_in(&mut self, args: &[Row], unit: &Unit) -> Result<usize, ExecError> {
        let Some((of, list)) = args.split_first() else { return Err(ExecError::Plan("In has no argument".into())) };
        // A list is its values, one by one.
        let mut choices = Vec::new();
        for row in list {
            match &row.node {
                RowNode::Const(Value::List(values)) => {
                    let kind = match &row.unit.kind {
                        Kind::List(kind) => (**kind).clone(),
                        other => other.clone(),
                    };
                    let constant = |v: &Value| Row { unit: Unit::of(kind.clone()), node: RowNode::Const(v.clone()) };
                    choices.extend(values.iter().map(constant));
                }
                _ => choices.push(row.clone()),
            }
        }
        let texts: Option<_> = choices
            .iter()
            .map(|c| match &c.node {
                RowNode::Const(Value::Text(text)) => Some(text.clone()),
                _ => None,
            })
            .collect();
        let node = self.row(of)?;
        if let (Some(texts), Type::Text | Type::Id(_)) = (texts, &self.types[node]) {
            return self.test(node, Test::In(texts));
        }
        let mut any: Option<usize> = None;
        for choice in &choices {
            let equal = self.call(&Op::Equal, &[of.clone(), choice.clone()], unit)?;
            any = Some(match any {
                None => equal,
                Some(any) => {
                    let args = vec![any, equal];
                    let key = format!("call Or {args:?}");
                    self.add(key, Type::Bool, || Node::Call { op: Op::Or, args, digits: None })
                }
            });
        }
        match any {
            Some(any) => Ok(any),
            None => self.constant(&Value::Bool(false), &Unit::of(Kind::Bool)),
        }
    }

    /// A condition on one text with a constant.
    pub(super) fn text_test(&mut self, op: &Op, args: &[Row]) -> Result<Option<usize>, ExecError> {
        let [of, Row { node: RowNode::Const(Value::Text(text)), .. }] = args else { return Ok(None) };
        let test = match op {
            Op::Equal | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => {
                Test::Compare(op.clone(), text.clone())
            }
            Op::NotEqual => {
                let equal = self.call(&Op::Equal, args, &Unit::of(Kind::Bool))?;
                let key = format!("call Not {equal}");
                return Ok(Some(self.add(key, Type::Bool, || Node::Call {
                    op: Op::Not,
                    args: vec![equal],
                    digits: None,
                })));
            }
            Op::Matches => Test::Matches(Box::new(regex(text)?)),
            Op::Contains => Test::Contains(text.clone()),
            Op::StartsWith => Test::StartsWith(text.clone()),
            Op::EndsWith => Test::EndsWith(text.clone()),
            _ => return Ok(None),
        };
        let of = self.row(of)?;
        match self.types[of].clone() {
            // The key's id is looked up once; no other key is read.
            Type::Id(entity) if *op == Op::Equal => {
                let args = vec![of, self.entity(&entity, text)?];
                let key = format!("call Equal {args:?}");
                Ok(Some(self.add(key, Type::Bool, || Node::Call { op: Op::Equal, args, digits: None })))
            }
            Type::Text | Type::Id(_) | Type::Missing => Ok(Some(self.test(of, test)?)),
            other => Err(ExecError::Plan(format!("{} is tested as a text", other.words()))),
        }
    }

    pub(super) fn test(&mut self, of: usize, test: Test) -> Result<usize, ExecError> {
        let of = self.as_text(of)?;
        let key = match &test {
            // A set has no order of its own.
            Test::In(set) => format!("test in {:?} {of}", set.iter().collect::<std::collections::BTreeSet<_>>()),
            other => format!("test {other:?} {of}"),
        };
        Ok(self.add(key, Type::Bool, || Node::Test { of, test, cache: Cached::default() }))
    }

    pub(super) fn plugin(&mut self, name: &str, args: &[Row], unit: &Unit) -> Result<usize, ExecError> {
        let function = self.source.functions.scalars.get(name).cloned();
        let function = function.ok_or_else(|| ExecError::Plan(format!("no plugin gives `{name}`")))?;
        let args = args.iter().map(|a| Ok((self.row(a)?, a.unit.clone()))).collect::<Result<Vec<_>, ExecError>>()?;
        let args = args.into_iter().map(|(n, u)| Ok((self.as_text(n)?, u))).collect::<Result<Vec<_>, ExecError>>()?;
        let ty = match Type::of_unit(unit) {
            Type::Decimal(_) if unit.kind != Kind::Count => Type::Float,
            Type::Id(_) => Type::Text,
            other => other,
        };
        Ok(self.add(format!("plugin {name} {args:?}"), ty, || Node::Plugin { function, args }))
    }
}

/// `elapsed(a, b) < 1 year` by the calendar: `a < b + 1 year`, so that leap days count as the calendar says.
fn calendar_comparison(op: &Op, args: &[Row]) -> Option<Row> {
    let comparison = matches!(op, Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual);
    let [left, right] = args else { return None };
    let (elapsed, span, flipped) = match (&left.node, &right.node) {
        (RowNode::Call { op: Op::Elapsed, args }, RowNode::Const(Value::Span(span))) => (args, span, false),
        (RowNode::Const(Value::Span(span)), RowNode::Call { op: Op::Elapsed, args }) => (args, span, true),
        _ => return None,
    };
    let [to, from] = elapsed.as_slice() else { return None };
    if !comparison || (span.months == 0 && span.days == 0) {
        return None;
    }
    let time = Unit::of(Kind::Time);
    let end = Row { unit: time, node: RowNode::Call { op: Op::AddSpan(*span), args: vec![from.clone()] } };
    let args = if flipped { vec![end, to.clone()] } else { vec![to.clone(), end] };
    Some(Row { unit: Unit::of(Kind::Bool), node: RowNode::Call { op: op.clone(), args } })
}

fn arity(op: &Op) -> usize {
    match op {
        Op::Add
        | Op::Subtract
        | Op::Multiply
        | Op::Divide
        | Op::Equal
        | Op::NotEqual
        | Op::Less
        | Op::LessEqual
        | Op::Greater
        | Op::GreaterEqual
        | Op::Matches
        | Op::Contains
        | Op::StartsWith
        | Op::EndsWith
        | Op::Elapsed
        | Op::PeriodsBetween(_) => 2,
        Op::Replace => 3,
        _ => 1,
    }
}

fn is_text(op: &Op) -> bool {
    use Op::*;
    matches!(op, Lower | Upper | Trim | Length | Concat | Replace | Matches | Contains | StartsWith | EndsWith)
}
