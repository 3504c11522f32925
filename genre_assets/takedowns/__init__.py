"""Take-downs: a track or an artist that must go, with all that was made of it, for good.

A take-down is recorded before anything is removed, and whoever enforces it removes what is left
to remove; so one that was cut short is finished by the next call, and one that is finished stays
enforced whatever a refresh brings. It reaches

* the track, or the tracks of the artist in whatever spelling, those that come later too;
* tracks with the very same bytes: the same recording under another id;
* the same track in the other of the Free Music Archive's sources: its site and its research
  dataset share their ids.

Of a track that it reaches nothing stays but that it was listed, seen and fetched: its audio in the
store, its spectrograms, every row that was made of it, in files that a newer one superseded too,
and whatever tasks used it are deleted. Files of a music library or of a dataset are their
owner's own: they stay and are not looked at again.

A take-down that was a mistake can be revoked. What it removed is downloaded and computed again by
the next run, as far as the source still has it.
"""
