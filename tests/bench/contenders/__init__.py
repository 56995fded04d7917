"""Who is measured: small classes with the same verbs, each in a process of its own."""
