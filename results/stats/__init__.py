"""Statistics: intervals, paired tests, racing, speed. All functions are pure, and each formula names its source."""
