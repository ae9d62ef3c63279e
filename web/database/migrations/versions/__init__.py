"""One file a step, each with the step before it. A step that was released is never changed."""
