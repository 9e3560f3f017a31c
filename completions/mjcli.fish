# fish completion for mjcli, the other name of mj
complete -c mjcli -w mj
