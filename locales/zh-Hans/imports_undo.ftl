# 撤销导入。
imports-state-undone = 已撤销
imports-state-being-undone = 撤销中
undo-title = 撤销这次导入
undo-about = 撤销后，这个文件带来的记录全部移出，被它覆盖的旧记录恢复计入。其他文件或你自己的系统也发送过的记录会保留。之后可以重新导入。
undo-number = 请输入这次导入的编号 { $id } 以确认
undo-unsure = 输入的编号不对，没有撤销任何内容。
undo-button = 撤销这次导入
undo-under-way = { $who } 要求撤销这次导入，正在逐日移出记录。
undo-so-far = 已移出 { $rows } 条。
undo-done = 已由 { $who } 于 { $when } 撤销。
undo-taken-out = 移出的记录
undo-brought-back = 恢复计入的旧记录
undo-again = 需要时可以再次导入这个文件。
undo-too-old = 这次导入是用旧版本完成的，当时没有记下哪些记录属于它，无法撤销。
