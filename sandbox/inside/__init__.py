"""What runs inside the sandbox: one text of these modules, without anything else of ours."""
