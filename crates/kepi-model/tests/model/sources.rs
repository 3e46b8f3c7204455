//! How the columns of a table fill events and entities.

use crate::dump;
use crate::shop::{now, said, shop};
use insta::assert_snapshot;
use kepi_model::declared::Target;
use std::fmt::Write;

#[test]
fn mappings() {
    let catalog = shop(
        "source shop_orders from \"orders/*.csv\" with delimiter = \";\", header = no, dates = \"%d/%m/%Y\" {\n\
           orders: at day, id number, of customer who, campaign, amount, cost = price * 0.8, kind = lower(trim(type))\n\
             where status != \"cancelled\" and price > 0\n\
           customer: key who, created = first_seen, region = replace(area, \"_\", \" \"), tier, from changed\n\
         }\n\
         source answers from \"pg:answers\" { surveys: at returned, customer = concat(\"c\", who), score = points - 1, rating = stars otherwise 3 }",
    );
    let (sources, problems) = catalog.sources(now(&catalog));
    let words: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    let mut out = format!("{}\n", words.join("\n"));
    for source in sources {
        writeln!(out, "{} from {:?} {:?}", source.name, source.from, source.options).unwrap();
        for mapping in &source.mappings {
            let target = match &mapping.target {
                Target::Stream(name) => format!("event {name}"),
                Target::Entity(name) => format!("entity {name}"),
                Target::Merge(name) => format!("merge {name}"),
            };
            writeln!(out, "  {target}").unwrap();
            let own = [("where", &mapping.filter), ("at", &mapping.at), ("id", &mapping.id), ("key", &mapping.key)];
            for (name, row) in own.into_iter().filter_map(|(name, row)| row.as_ref().map(|row| (name, row))) {
                writeln!(out, "    {name} {}: {}", dump::row(row), row.unit).unwrap();
            }
            for (name, row) in &mapping.roles {
                writeln!(out, "    of {name} = {}", dump::row(row)).unwrap();
            }
            for (name, row) in &mapping.fields {
                writeln!(out, "    {name} = {}: {}", dump::row(row), row.unit).unwrap();
            }
        }
    }
    assert_snapshot!(out);
}

#[test]
fn wrong_mappings() {
    assert_snapshot!(said(
        "source a from \"a.csv\" with dleimiter = \";\", dates = 3 { orders: at day, of customer who, colour = c, amount, amount = b }\n\
         source b from \"b.csv\" { order: at day }\n\
         source c from \"c.csv\" { orders: of customer who }\n\
         source d from \"d.csv\" { customer: at day, id number, email = mail, regoin = x }\n\
         source e from \"e.csv\" { customer: region }\n\
         source f from \"f.csv\" { orders: at day, of agent who, key x }\n\
         source g from \"g.csv\" { new_customers: at day }\n\
         source h from \"h.csv\" { revenue: at day }\n\
         source i from \"i.csv\" { orders: at day, amount = count(orders), kind = 5 }\n\
         source k from \"k.csv\" { merge custmer a into b }\n\
         source l from \"l.csv\" { merge orders a into b }\n\
         source m from \"m.csv\" { merge customer a into a }\n\
         source j from \"j.csv\" { orders: at day, amount = price where price > 5 EUR and \"x\" }"
    ));
}

#[test]
fn rows_of_one_event_with_the_same_ids_are_told() {
    let warned = |sources: &str| {
        let catalog = shop(sources);
        let (found, problems) = catalog.sources(now(&catalog));
        assert!(!found.is_empty());
        problems.iter().map(|p| format!("{} / {}", p.message, p.help.clone().unwrap_or_default())).collect::<Vec<_>>()
    };
    let two = warned(
        "source web from \"web.csv\" { orders: at day, id no, of customer who }\n\
         source pos from \"pos.csv\" { orders: at day, id no, of customer who }\n\
         source later from \"crm:orders\" { orders: at day, id no, of customer who }\n\
         source own from \"own.csv\" { orders: at day, id = concat(\"own-\", `no`), of customer who }",
    );
    let wanted = "`orders` is also filled by `web`: a row of `pos` with an id from there takes that row's place / where these \
                  are different rows, make the ids differ: id = concat(\"pos-\", `no`)";
    assert_eq!(two, [wanted]);
    let one = warned(
        "source crm from \"crm.csv\" {\n  orders: at created, id no, of customer who\n  orders: at closed, id no, of customer who\n}\n\
         source split from \"crm:orders\" {\n  orders: at day, id no, of customer who where kind = \"a\"\n\
           orders: at day, id no, of customer who where kind = \"b\"\n}",
    );
    let wanted = "`orders` is filled twice from one row with the same id, so that only one of the two is kept / where these \
                  are different rows, make the ids differ: id = concat(\"orders-\", `no`)";
    assert_eq!(one, [wanted]);
}
