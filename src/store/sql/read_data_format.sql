select min_reader, min_writer, written_by from data_format where id = 1
