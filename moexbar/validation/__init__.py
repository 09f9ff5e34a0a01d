"""What others measured or published, beside what our model gives: `moexbar validate`."""
