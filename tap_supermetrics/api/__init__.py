"""The API of the vendor: errors, wire (all its spellings), client. Knows no Singer."""
