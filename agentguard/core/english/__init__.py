"""What policies say, in plain English: made from checked trees, with no sign of the condition language left."""
