"""One run from start to end: server up, script against it, server down, output parsed, record kept."""
