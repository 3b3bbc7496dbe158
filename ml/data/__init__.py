"""Flights by month: sources, contracts, features.

Month.parse("2013-04")                        ml.data.months
available_months()                            ml.data.sources: months there is data for
read_flights(month, limit) -> Checked         ml.data.contracts: clean rows and a ContractReport
build(config, months) -> FeatureSet           ml.data.features: keys, features, target; one file a month
feature_hash(config), data_hash(months)       ml.data.features, ml.data.sources: for the model record
CATALOGUE, feature_definitions()              ml.data.catalogue: what features there are
"""
