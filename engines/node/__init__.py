"""What runs on the machine that does a unit: one program for every engine."""
