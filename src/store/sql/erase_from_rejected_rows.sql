update rejected_row set raw = null where instr(raw, $1) > 0
