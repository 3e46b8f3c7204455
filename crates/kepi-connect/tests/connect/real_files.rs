//! Tables as people publish them, where a folder of them stands beside the repository.

use kepi_connect::{
    Formats, Hints, Inferred, InferredKind, Profile, ReadOptions, Role, Table, convert, declaration, infer_table,
};
use kepi_model::calendar::Zone;
use kepi_model::value::Kind;
use std::path::PathBuf;

fn data(file: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path.display().to_string())
}

/// Infers a file and converts every cell by what was inferred.
fn inferred(file: &str, pairs: &[(&str, &str)]) -> Option<(Inferred, Profile, usize)> {
    let table = Table::open(&[data(file)?], &crate::options(pairs)).unwrap();
    let (inferred, options, profile) = infer_table(&table, &Hints::default()).unwrap();
    let text = declaration(&inferred, &options);
    let (_, diagnostics) = kepi_syntax::parse_file(&text);
    assert!(diagnostics.is_empty(), "{file}: {diagnostics:?}\n{text}");
    // What the declaration states reads the file as well as what was detected.
    let again = Table::open(&[data(file)?], &ReadOptions::from_pairs(&options.to_pairs()).unwrap()).unwrap();
    let columns: Vec<_> = inferred.columns.iter().map(|c| (c.column.clone(), c.unit.clone())).collect();
    let formats: Vec<Formats> = again.formats(&columns, &Zone::utc()).unwrap();
    let mut faults = 0;
    for batch in again.read() {
        let batch = batch.unwrap();
        for ((name, unit), formats) in columns.iter().zip(&formats) {
            faults += convert(batch.records.column(again.column(name).unwrap()), unit, formats).1.len();
        }
    }
    Some((inferred, profile, faults))
}

fn time(inferred: &Inferred) -> &str {
    match &inferred.kind {
        InferredKind::Event { time } => time,
        other => panic!("no event: {other:?}"),
    }
}

fn kind<'a>(inferred: &'a Inferred, column: &str) -> &'a Kind {
    &inferred.columns.iter().find(|c| c.column == column).unwrap().unit.kind
}

fn role<'a>(inferred: &'a Inferred, column: &str) -> &'a Role {
    &inferred.columns.iter().find(|c| c.column == column).unwrap().role
}

#[test]
fn crm_pipeline() {
    let Some((inferred, profile, faults)) = inferred("crm_sales_opportunities/sales_pipeline.csv", &[]) else { return };
    assert_eq!((profile.rows, profile.rejected, faults), (8800, 0, 0));
    assert_eq!(time(&inferred), "engage_date");
    assert_eq!(inferred.entities, ["account", "product"]);
    assert_eq!(role(&inferred, "opportunity_id"), &Role::Id);
    let missing = |c: &str| profile.columns.iter().find(|p| p.name == c).unwrap().guess.missing;
    assert_eq!((missing("account"), missing("engage_date")), (1425, 500));
}

#[test]
fn clickstream() {
    let Some((inferred, profile, faults)) = inferred("ecom_clickstream_retentioneering/ecom.csv", &[]) else { return };
    assert_eq!((profile.rows, faults), (31_106, 0));
    assert_eq!((inferred.name.as_str(), time(&inferred)), ("ecom", "timestamp"));
    assert_eq!(inferred.entities, ["user", "session"]);
    assert_eq!(kind(&inferred, "user_cohort"), &Kind::Text);
}

#[test]
fn complaints() {
    let Some((inferred, profile, faults)) = inferred("telecom_complaints/Complaints.csv", &[]) else { return };
    assert_eq!((profile.rows, faults), (6587, 0));
    assert_eq!((inferred.name.as_str(), time(&inferred)), ("complaints", "incident"));
    assert_eq!(inferred.entities, ["customer"]);
    assert_eq!(role(&inferred, "comp_id"), &Role::Id);
    assert_eq!(kind(&inferred, "month"), &Kind::Text);
    let field = inferred.columns.iter().find(|c| c.column == "sla status new").unwrap();
    assert_eq!(field.field, "`sla status new`");
}

#[test]
fn telco_customers() {
    let Some((inferred, profile, faults)) = inferred("ibm_telco_cognos/IBM_Cognos_Data.csv", &[]) else { return };
    assert_eq!((profile.rows, faults), (7043, 0));
    assert_eq!(inferred.kind, InferredKind::Entity { key: "customerID".to_string(), from: None });
    assert_eq!(inferred.name, "customer");
    for (column, expected) in [
        ("SeniorCitizen", Kind::Bool),
        ("Churn", Kind::Bool),
        ("MultipleLines", Kind::Text),
        ("tenure", Kind::Number),
        ("TotalCharges", Kind::Number),
    ] {
        assert_eq!(kind(&inferred, column), &expected, "{column}");
    }
}

#[test]
fn text_columns_without_header() {
    let names = [("columns", "customer_id,sample_id,ordered,discs,dollars")];
    let Some((inferred, profile, faults)) = inferred("cdnow/CDNOW_sample.txt", &names) else { return };
    assert_eq!((profile.rows, faults), (6919, 0));
    assert_eq!(time(&inferred), "ordered");
    assert_eq!(inferred.entities, ["customer"]);
    assert_eq!(kind(&inferred, "dollars"), &Kind::Number);
}

#[test]
fn parquet_with_nested_columns() {
    let Some((inferred, profile, faults)) = inferred("ga_sample_malloy/ga_sample.parquet", &[]) else { return };
    assert_eq!((profile.rows, faults), (2556, 0));
    assert_eq!(time(&inferred), "date");
    assert_eq!(inferred.entities, ["visitor"]);
    assert_eq!(kind(&inferred, "totals.pageviews"), &Kind::Number);
}

#[test]
fn tab_separated_with_day_first_dates() {
    let Some((inferred, profile, faults)) = inferred("marketing_campaign_personality/marketing_campaign.csv", &[])
    else {
        return;
    };
    assert_eq!((profile.rows, faults), (2240, 0));
    assert_eq!(time(&inferred), "Dt_Customer");
    assert_eq!(role(&inferred, "ID"), &Role::Id);
    assert_eq!(kind(&inferred, "Year_Birth"), &Kind::Number);
}

#[test]
fn windows_text_is_named_and_then_read() {
    let Some(file) = data("classicmodels_salesdb/Customers.txt") else { return };
    let table = Table::open(std::slice::from_ref(&file), &ReadOptions::default()).unwrap();
    let error = table.profile().unwrap_err().to_string();
    assert!(error.contains("line 42: this is not UTF-8") && error.contains("--encoding windows-1252"), "{error}");
    let (inferred, profile, faults) =
        inferred("classicmodels_salesdb/Customers.txt", &[("encoding", "windows-1252")]).unwrap();
    assert_eq!((profile.rows, profile.rejected, faults), (122, 0, 0));
    assert_eq!(inferred.columns.len(), 13);
}

#[test]
fn every_seed_of_the_saas_tables_is_read() {
    let Some(folder) = data("saas_seeds") else { return };
    let mut seen = 0;
    for entry in glob::glob(&format!("{folder}/*/*.csv")).unwrap() {
        let path = entry.unwrap();
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let (_, profile, faults) = inferred(&format!("saas_seeds/{name}"), &[]).unwrap();
        assert_eq!((profile.rejected, faults), (0, 0), "{name}");
        seen += 1;
    }
    assert!(seen > 200, "{seen}");
}
