"""Who calls, and what they may do: the IAM policies of the imitated cloud, judged as Google judges them."""
