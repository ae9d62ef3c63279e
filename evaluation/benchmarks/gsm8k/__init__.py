"""GSM8K: word problems with one number as the answer."""
