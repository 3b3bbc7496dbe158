"""From a reviewed change to the cloud: apply what was reviewed, notice drift, promote between environments."""
