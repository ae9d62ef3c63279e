"""How a database of an older version becomes one of this version; run by `web.database.database` when it is opened."""
