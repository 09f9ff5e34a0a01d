"""What every command tells, as values: built, shown in tables, written as JSON and read back."""
