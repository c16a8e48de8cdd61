# Undoing an import.
imports-state-undone = Undone
imports-state-being-undone = Being undone
undo-title = Undo this import
undo-about = Every record of this file is taken out again, and what it had replaced counts once more. Records that another file or your own system sent as well stay. The file can be imported again later.
undo-number = To be sure, type the number of this import: { $id }
undo-unsure = That is not the number of this import; nothing was undone.
undo-button = Undo this import
undo-under-way = { $who } asked to undo this import. Its records are being taken out, a day at a time.
undo-so-far = { $rows } so far.
undo-done = Undone by { $who }, { $when }.
undo-taken-out = Records taken out
undo-brought-back = Earlier versions that count again
undo-again = To take the file in again, import it once more.
undo-too-old = This import came in with an earlier version, which did not note which records came with it. It cannot be undone.
