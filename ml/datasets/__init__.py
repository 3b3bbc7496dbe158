"""Flights by month: sources, contracts, features.

    Month.parse("2013-04")                        months    value type; shift, next, previous, holdout_from
    open_origin(address)                          origins   a folder, or bigquery://PROJECT/REGION/DATASET
    source(), available_months()                  sources   FONDERIE_DATA's folder, or the two packaged years
    source().latest(month, 12)                    sources   a training window, as far as there is data
    check_months(months, limit) -> reports        contracts clean rows, quarantine, counts by reason
    build(config, months) -> FeatureSet           features  keys, day_number, features, slices, target; a file a month
    feature_hash(config), FeatureSet.data_hash    queries   for the model record
    compile_sql(config, "bigquery")               queries   the same features there
    CATALOGUE, feature_definitions()              catalogue which features there are; needs no data library

A feature table's columns are `schema.KEYS`, `day_number`, the model's features, the slices of its gate and `target`
(null where a flight has no label: cancelled, diverted). `Month.holdout_from(fraction)` is the first day of the tail.
"""
