"""Where a preview is posted: GitHub's pull requests and GitLab's merge requests, by one interface."""
