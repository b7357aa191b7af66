//! Curves of a run over its epochs, as SVG.

use std::path::Path;

use hqcc_compiler::measures::Measure;
use plotters::prelude::*;

use crate::durable::replace_file;
use crate::train::log::Record;

/// One named line of a chart: a point per epoch.
struct Curve {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

const BLUE_LINE: RGBColor = RGBColor(31, 119, 180);
const ORANGE_LINE: RGBColor = RGBColor(255, 127, 14);

/// Writes `loss.svg` and a chart for each measure, `dsc.svg` for example, into `folder`; with no epoch among the records it
/// writes nothing.
///
/// # Errors
/// A sentence with the path of the file that could not be written.
pub fn write(folder: &Path, records: &[Record], measures: &[&Measure]) -> Result<(), String> {
    let (mut train, mut test) = (vec![], vec![]);
    let mut means: Vec<Vec<(f64, f64)>> = vec![vec![]; measures.len()];
    for record in records {
        if let Record::Epoch {
            epoch,
            loss,
            test_loss,
            measures: results,
            ..
        } = record
        {
            let x = *epoch as f64;
            train.push((x, *loss));
            test.push((x, *test_loss));
            for (points, measure) in means.iter_mut().zip(measures) {
                points.extend(results.get(measure).map(|spread| (x, spread.mean)));
            }
        }
    }
    if train.is_empty() {
        return Ok(());
    }
    let curve = |name, color, points| Curve {
        name,
        color,
        points,
    };
    let losses = [
        curve("training", BLUE_LINE, train),
        curve("test", ORANGE_LINE, test),
    ];
    chart(&folder.join("loss.svg"), "loss", &losses, None)?;
    for (measure, points) in measures.iter().zip(means) {
        let file = folder.join(format!("{}.svg", measure.name));
        let title = format!("test {}", measure.title);
        let mean = curve("mean", BLUE_LINE, points);
        chart(&file, &title, &[mean], measure.range)?;
    }
    Ok(())
}

/// Draws the curves over the epochs; the value axis spans `range`, or the range of the curves.
fn chart(
    path: &Path,
    title: &str,
    curves: &[Curve],
    range: Option<(f64, f64)>,
) -> Result<(), String> {
    let mut svg = String::new();
    let drawn = draw(&mut svg, title, curves, range);
    drawn
        .and_then(|()| Ok(replace_file(path, svg.as_bytes())?))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn draw(
    svg: &mut String,
    title: &str,
    curves: &[Curve],
    range: Option<(f64, f64)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || {
        curves
            .iter()
            .flat_map(|c| &c.points)
            .filter(|p| p.1.is_finite())
    };
    let last = points().map(|p| p.0).fold(2.0, f64::max);
    let (low, high) = range.unwrap_or_else(|| {
        let low = points().map(|p| p.1).fold(f64::INFINITY, f64::min).min(0.0);
        let high = points().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
        if high > low {
            (low, low + (high - low) * 1.05)
        } else {
            (0.0, 1.0)
        }
    });
    let root = SVGBackend::with_string(svg, (640, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(1.0..last, low..high)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .x_desc("epoch")
        .x_labels((last as usize).min(12))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.2}"))
        .draw()?;
    for curve in curves {
        let color = curve.color;
        let drawn: Vec<_> = curve
            .points
            .iter()
            .copied()
            .filter(|p| p.1.is_finite())
            .collect();
        let series = chart.draw_series(LineSeries::new(
            drawn.iter().copied(),
            color.stroke_width(2),
        ))?;
        if curves.len() > 1 {
            series.label(curve.name).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
            });
        }
        chart.draw_series(drawn.iter().map(|&p| Circle::new(p, 2, color.filled())))?;
    }
    if curves.len() > 1 {
        chart
            .configure_series_labels()
            .background_style(WHITE)
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::{Measured, Spread};
    use hqcc_compiler::measures::MEASURES;

    #[test]
    fn a_chart_is_written_for_the_loss_and_each_measure() {
        let folder = tempfile::tempdir().unwrap();
        let measures: Vec<_> = MEASURES.iter().collect();
        let results = |mean| {
            let spread = Spread { mean, sd: 0.1 };
            Measured(measures.iter().map(|&measure| (measure, spread)).collect())
        };
        let records: Vec<Record> = (1..=5)
            .map(|epoch| Record::Epoch {
                epoch,
                step: epoch * 10,
                loss: 1.0 / epoch as f64,
                test_loss: if epoch == 3 {
                    f64::NAN
                } else {
                    1.2 / epoch as f64
                },
                measures: results(0.1 * epoch as f64),
            })
            .collect();
        write(folder.path(), &records, &measures).unwrap();
        for name in ["loss"].into_iter().chain(MEASURES.iter().map(|m| m.name)) {
            let name = format!("{name}.svg");
            let text = std::fs::read_to_string(folder.path().join(&name)).unwrap();
            assert!(
                text.contains("<polyline") && text.contains("epoch"),
                "{name}: {text}"
            );
        }
        assert!(write(Path::new("/no/such/folder"), &records, &measures).is_err());
    }
}
