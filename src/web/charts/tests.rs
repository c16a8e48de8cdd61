use actix_web::test::TestRequest;
use proptest::prelude::*;

use super::super::texts::Language;
use super::series::Values;
use super::*;

fn page() -> Page {
    Page::new(&TestRequest::default().to_http_request())
}

fn drawn(drawing: impl Into<Drawing>) -> String {
    let table =
        Table { heads: vec!["Day".into(), "Volume".into()], rows: vec![vec!["1".into(), "2".into()]] };
    Figure::new(&page(), "volume", "A <b>title".into(), "CNY".into(), Some(drawing.into()), table)
        .render()
        .unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| index.to_string()).collect()
}

/// Every number in the paths of a figure.
fn coordinates(html: &str) -> Vec<f64> {
    html.split(" d=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .flat_map(|path| path.split(['M', 'L', 'Z', ' ']).filter(|piece| !piece.is_empty()))
        .map(|piece| piece.parse().unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn coordinates_lie_in_the_box(
        now in prop::collection::vec(prop::option::of(-1e15_f64..1e15), 1..60),
        share in prop::bool::ANY,
    ) {
        let scale = if share { Scale::Share } else { Scale::Amount };
        let now: Vec<Option<f64>> = now
            .into_iter()
            .map(|value| value.map(|value| if share { value.abs() / 1e15 } else { value }))
            .collect();
        let values = Values {
            before: now.iter().rev().copied().collect(),
            band: now.iter().map(|value| value.map(|value| (value * 0.9, value))).collect(),
            labels: names(now.len()),
            running: Some(now.len() - 1),
            limit: None,
            now,
        };
        for series in [
            Series::line(Language::English, scale, &values),
            Series::upright_bars(Language::Chinese, scale, &values),
        ] {
            let Some(series) = series else { continue };
            let html = drawn(series);
            prop_assert!(!html.contains("NaN") && !html.contains("inf"));
            prop_assert!(!html.contains(" style=") && !html.contains("<b>title"));
            for pair in coordinates(&html).chunks(2) {
                prop_assert!((0.0..=1000.0).contains(&pair[0]) && (0.0..=160.0).contains(&pair[1]), "{pair:?}");
            }
        }
    }
}

#[test]
fn gaps_lift_the_pen_and_lonely_points_are_dots() {
    let values = Values {
        now: vec![Some(1.0), Some(2.0), None, Some(3.0), None, Some(1.0), Some(1.0)],
        labels: names(7),
        ..Values::default()
    };
    let series = Series::line(Language::English, Scale::Amount, &values).unwrap();
    assert_eq!(series.now.matches('M').count(), 2);
    assert_eq!(series.dots.len(), 1);
    assert!(
        Series::line(Language::English, Scale::Amount, &Values { labels: names(3), ..Values::default() })
            .is_none()
    );
}

#[test]
fn what_is_not_known_has_no_bar() {
    let values = Values { now: vec![Some(5.0), None, Some(0.0)], labels: names(3), ..Values::default() };
    let series = Series::upright_bars(Language::English, Scale::Amount, &values).unwrap();
    assert_eq!(series.bars.len(), 2);
    assert_eq!(series.bars[1].height, "0");
}

#[test]
fn shares_add_up_and_the_rest_is_one_part() {
    let parts: Vec<(String, i128)> =
        [40, 30, 10, 8, 7, 5].iter().map(|share| (format!("p{share}"), *share)).collect();
    let bar = ShareBar::new(&parts, "Other", |part, whole| format!("{part}/{whole}")).unwrap();
    let texts: Vec<_> = bar.parts.iter().map(|part| part.text.as_str()).collect();
    assert_eq!(texts, ["40/100", "30/100", "10/100", "8/100", "12/100"]);
    assert_eq!(bar.parts[4].name, "Other");
    assert!(ShareBar::new(&[("a".into(), 0)], "Other", |_, _| String::new()).is_none());
    assert!(drawn(bar).contains("class=\"legend\""));
}

#[test]
fn a_heat_strip_leaves_out_hours_that_have_not_been() {
    let cells = |value| vec![(value, String::from("t")); 24];
    let strip = HeatStrip::new(vec![("Mon".into(), cells(Some(2.0))), ("Tue".into(), cells(None))]).unwrap();
    assert_eq!((strip.rows[0].cells.len(), strip.rows[1].cells.len()), (24, 0));
    assert!(HeatStrip::new(vec![("Mon".into(), cells(Some(0.0)))]).is_none());
    assert!(drawn(strip).contains("class=\"h5 cut\""));
}

#[test]
fn bars_and_sparks_stay_in_their_cells() {
    assert!(
        Bar::new(150, 100)
            .render()
            .unwrap()
            .contains("width=\"100%\" y=\"1\" height=\"10\" rx=\"2\"/><rect class=\"f1\" width=\"100%\"")
    );
    assert!(Bar::new(-5, 100).with_before(50, 100).render().unwrap().contains("x1=\"50%\""));
    assert_eq!(Spark::new(&[0, 5, 10]).path, "M1 18.5L40 10L79 1.5");
    assert_eq!(Spark::new(&[]).path, "");
}
