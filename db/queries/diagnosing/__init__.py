"""What the doctor asks of a database: reads only, no locks, and the cost of every statement is bounded and told."""
