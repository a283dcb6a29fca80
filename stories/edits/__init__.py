"""Pages that change a record: write, move, link, discuss, take notes, end."""
