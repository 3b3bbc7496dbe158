"""What a change costs a month: list prices with their source and date, as a range, and what has no price named."""
