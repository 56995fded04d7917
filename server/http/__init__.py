"""HTTP before any dialect: heads, bodies, origins, departures. No FastAPI here."""
