# bash completion for mjcli, the other name of mj: the script of mj is beside this one
source "${BASH_SOURCE[0]%/*}/mj"
