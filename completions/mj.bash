# bash completion for mj
#
# Everything there is to complete stands in this file: completing starts no process.

# Say what may follow the command $1, in the variables of _mj.
_mj_command() {
    commands=()
    case $1 in
    '')
        commands=(imagine action blend edit describe video extend-video shorten translate seed check describe-task history resume download open listen auth config sandbox completion)
        options=(
            '--version'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'imagine')
        options=(
            '*--image'
            '--translation --no-translation'
            '--style-reference --no-style-reference'
            '--moodboard --no-moodboard'
            '--mode'
            '--split-images --no-split-images'
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--stream --no-stream'
            '--timeout'
            '--no-wait'
            '--callback-url'
            '--listen'
            '--host'
            '--port'
            '--public-url'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '*--preset'
            '--permute'
            '-y --yes'
            '--strict'
            '--no-check'
            '*--version --v'
            '*--niji'
            '*--aspect --ar'
            '*--quality --q'
            '--hd'
            '--sd'
            '*--stylize --s'
            '*--chaos --c'
            '*--weird --w'
            '*--seed'
            '*--stop'
            '*--repeat --r'
            '*--no'
            '*--style'
            '--raw'
            '*--iw'
            '*--sref'
            '*--sw'
            '*--sv'
            '*--cref'
            '*--cw'
            '*--oref'
            '*--ow'
            '*--exp'
            '*--p'
            '--tile'
            '--draft'
            '--video'
            '--fast'
            '--relax'
            '--turbo'
            '--stealth'
            '--public'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --image --mode --retries --timeout --callback-url --host --port --public-url -o --output --preset --version --v --niji --aspect --ar --quality --q --stylize --s --chaos --c --weird --w --seed --stop --repeat --r --no --style --iw --sref --sw --sv --cref --cw --oref --ow --exp --p --field --profile '
        ;;
    'action')
        options=(
            '--prompt'
            '--mask'
            '*--region'
            '--mode'
            '--split-images --no-split-images'
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--stream --no-stream'
            '--timeout'
            '--no-wait'
            '--callback-url'
            '--listen'
            '--host'
            '--port'
            '--public-url'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --prompt --mask --region --mode --retries --timeout --callback-url --host --port --public-url -o --output --field --profile '
        ;;
    'blend')
        options=(
            '--translation --no-translation'
            '--mode'
            '--split-images --no-split-images'
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--stream --no-stream'
            '--timeout'
            '--no-wait'
            '--callback-url'
            '--listen'
            '--host'
            '--port'
            '--public-url'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '*--preset'
            '--permute'
            '-y --yes'
            '--strict'
            '--no-check'
            '*--version --v'
            '*--niji'
            '*--aspect --ar'
            '*--quality --q'
            '--hd'
            '--sd'
            '*--stylize --s'
            '*--chaos --c'
            '*--weird --w'
            '*--seed'
            '*--stop'
            '*--repeat --r'
            '*--no'
            '*--style'
            '--raw'
            '*--iw'
            '*--sref'
            '*--sw'
            '*--sv'
            '*--cref'
            '*--cw'
            '*--oref'
            '*--ow'
            '*--exp'
            '*--p'
            '--tile'
            '--draft'
            '--video'
            '--fast'
            '--relax'
            '--turbo'
            '--stealth'
            '--public'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --mode --retries --timeout --callback-url --host --port --public-url -o --output --preset --version --v --niji --aspect --ar --quality --q --stylize --s --chaos --c --weird --w --seed --stop --repeat --r --no --style --iw --sref --sw --sv --cref --cw --oref --ow --exp --p --field --profile '
        ;;
    'edit')
        options=(
            '--mask'
            '*--region'
            '--mode'
            '--split-images --no-split-images'
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--stream --no-stream'
            '--timeout'
            '--no-wait'
            '--callback-url'
            '--listen'
            '--host'
            '--port'
            '--public-url'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '*--preset'
            '--permute'
            '-y --yes'
            '--strict'
            '--no-check'
            '*--version --v'
            '*--niji'
            '*--aspect --ar'
            '*--quality --q'
            '--hd'
            '--sd'
            '*--stylize --s'
            '*--chaos --c'
            '*--weird --w'
            '*--seed'
            '*--stop'
            '*--repeat --r'
            '*--no'
            '*--style'
            '--raw'
            '*--iw'
            '*--sref'
            '*--sw'
            '*--sv'
            '*--cref'
            '*--cw'
            '*--oref'
            '*--ow'
            '*--exp'
            '*--p'
            '--tile'
            '--draft'
            '--video'
            '--fast'
            '--relax'
            '--turbo'
            '--stealth'
            '--public'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --mask --region --mode --retries --timeout --callback-url --host --port --public-url -o --output --preset --version --v --niji --aspect --ar --quality --q --stylize --s --chaos --c --weird --w --seed --stop --repeat --r --no --style --iw --sref --sw --sv --cref --cw --oref --ow --exp --p --field --profile '
        ;;
    'describe')
        options=(
            '--use'
            '--mode'
            '--split-images --no-split-images'
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--stream --no-stream'
            '--timeout'
            '--no-wait'
            '--callback-url'
            '--listen'
            '--host'
            '--port'
            '--public-url'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '*--preset'
            '--permute'
            '-y --yes'
            '--strict'
            '--no-check'
            '*--version --v'
            '*--niji'
            '*--aspect --ar'
            '*--quality --q'
            '--hd'
            '--sd'
            '*--stylize --s'
            '*--chaos --c'
            '*--weird --w'
            '*--seed'
            '*--stop'
            '*--repeat --r'
            '*--no'
            '*--style'
            '--raw'
            '*--iw'
            '*--sref'
            '*--sw'
            '*--sv'
            '*--cref'
            '*--cw'
            '*--oref'
            '*--ow'
            '*--exp'
            '*--p'
            '--tile'
            '--draft'
            '--video'
            '--fast'
            '--relax'
            '--turbo'
            '--stealth'
            '--public'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --use --mode --retries --timeout --callback-url --host --port --public-url -o --output --preset --version --v --niji --aspect --ar --quality --q --stylize --s --chaos --c --weird --w --seed --stop --repeat --r --no --style --iw --sref --sw --sv --cref --cw --oref --ow --exp --p --field --profile '
        ;;
    'video')
        options=(
            '--image'
            '--mode'
            '--end-image'
            '--resolution'
            '--loop --no-loop'
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--stream --no-stream'
            '--timeout'
            '--no-wait'
            '--callback-url'
            '--listen'
            '--host'
            '--port'
            '--public-url'
            '-d --download --no-download'
            '-o --output'
            '--force'
            '--strict'
            '--no-check'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --image --mode --end-image --resolution --retries --timeout --callback-url --host --port --public-url -o --output --field --profile '
        ;;
    'extend-video')
        options=(
            '--index'
            '--mode'
            '--end-image'
            '--resolution'
            '--loop --no-loop'
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--stream --no-stream'
            '--timeout'
            '--no-wait'
            '--callback-url'
            '--listen'
            '--host'
            '--port'
            '--public-url'
            '-d --download --no-download'
            '-o --output'
            '--force'
            '--strict'
            '--no-check'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --index --mode --end-image --resolution --retries --timeout --callback-url --host --port --public-url -o --output --field --profile '
        ;;
    'shorten')
        options=(
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--timeout'
            '--strict'
            '--no-check'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --retries --timeout --field --profile '
        ;;
    'translate')
        options=(
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--timeout'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --retries --timeout --field --profile '
        ;;
    'seed')
        options=(
            '--dry-run'
            '--retries'
            '--no-ledger'
            '--timeout'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --retries --timeout --field --profile '
        ;;
    'check')
        options=(
            '*--image'
            '*--preset'
            '--permute'
            '-y --yes'
            '--strict'
            '--no-check'
            '*--version --v'
            '*--niji'
            '*--aspect --ar'
            '*--quality --q'
            '--hd'
            '--sd'
            '*--stylize --s'
            '*--chaos --c'
            '*--weird --w'
            '*--seed'
            '*--stop'
            '*--repeat --r'
            '*--no'
            '*--style'
            '--raw'
            '*--iw'
            '*--sref'
            '*--sw'
            '*--sv'
            '*--cref'
            '*--cw'
            '*--oref'
            '*--ow'
            '*--exp'
            '*--p'
            '--tile'
            '--draft'
            '--video'
            '--fast'
            '--relax'
            '--turbo'
            '--stealth'
            '--public'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --image --preset --version --v --niji --aspect --ar --quality --q --stylize --s --chaos --c --weird --w --seed --stop --repeat --r --no --style --iw --sref --sw --sv --cref --cw --oref --ow --exp --p --field --profile '
        ;;
    'describe-task')
        options=(
            '--wait'
            '--timeout'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --timeout -o --output --field --profile '
        ;;
    'history')
        commands=(show)
        options=(
            '*--state'
            '*--kind'
            '--search'
            '--since'
            '--before'
            '-n --limit'
            '--all'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --state --kind --search --since --before -n --limit --field --profile '
        ;;
    'history show')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'resume')
        options=(
            '--resubmit'
            '-y --yes'
            '--give-up'
            '--task'
            '--no-wait'
            '--timeout'
            '--retries'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --task --timeout --retries -o --output --field --profile '
        ;;
    'download')
        options=(
            '-o --output'
            '--split'
            '--force'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' -o --output --field --profile '
        ;;
    'open')
        options=(
            '-p --print'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'listen')
        options=(
            '--host'
            '--port'
            '--public-url'
            '--once'
            '--until-idle'
            '--timeout'
            '--all'
            '--trust'
            '--exec'
            '-d --download --no-download'
            '-o --output'
            '--split'
            '--force'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --host --port --public-url --once --timeout --exec -o --output --field --profile '
        ;;
    'auth')
        commands=(login status logout)
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'auth login')
        options=(
            '--base-url'
            '--token-in'
            '--files'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --base-url --token-in --field --profile '
        ;;
    'auth status')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'auth logout')
        options=(
            '--files'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'config')
        commands=(path list get set unset)
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'config path')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'config list')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'config get')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'config set')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'config unset')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    'sandbox')
        options=(
            '--port'
            '--seconds'
            '--failure-rate'
            '--error-rate'
            '--cut-rate'
            '--rate-limit'
            '--require-token'
            '--random-seed'
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --port --seconds --failure-rate --error-rate --cut-rate --rate-limit --require-token --random-seed --field --profile '
        ;;
    'completion')
        options=(
            '--json'
            '--field'
            '-q --quiet'
            '-v --verbose'
            '--profile'
            '--sandbox'
            '--no-color'
            '-h --help'
        )
        valued=' --field --profile '
        ;;
    esac
}

# Say which values $1 takes: a command and its option, or the argument's number.
_mj_values() {
    case $1 in
    'imagine|--mode') values=('fast' 'relax' 'turbo') ;;
    'imagine|--version' | 'imagine|--v') values=('5.2' '6' '6.1' '7' '8' '8.1' '8.2') ;;
    'imagine|--niji') values=('4' '5' '6' '7') ;;
    'imagine|--quality' | 'imagine|--q') values=('.25' '.5' '1' '2' '4') ;;
    'imagine|--style') values=('raw' 'cute' 'scenic' 'expressive' 'original') ;;
    'imagine|--sref') values=('random') ;;
    'action|--mask') kind=path ;;
    'action|--mode') values=('fast' 'relax' 'turbo') ;;
    'action|0') values=('upscale1' 'upscale2' 'upscale3' 'upscale4' 'variation1' 'variation2' 'variation3' 'variation4' 'reroll' 'upscale_2x' 'upscale_4x' 'upscale_subtle' 'upscale_creative' 'redo_upscale_2x' 'redo_upscale_4x' 'redo_upscale_subtle' 'redo_upscale_creative' 'variation_subtle' 'variation_strong' 'variation_region' 'zoom_out_2x' 'zoom_out_1_5x' 'pan_left' 'pan_right' 'pan_up' 'pan_down' 'square') ;;
    'blend|--mode') values=('fast' 'relax' 'turbo') ;;
    'blend|--version' | 'blend|--v') values=('5.2' '6' '6.1' '7' '8' '8.1' '8.2') ;;
    'blend|--niji') values=('4' '5' '6' '7') ;;
    'blend|--quality' | 'blend|--q') values=('.25' '.5' '1' '2' '4') ;;
    'blend|--style') values=('raw' 'cute' 'scenic' 'expressive' 'original') ;;
    'blend|--sref') values=('random') ;;
    'edit|--mask') kind=path ;;
    'edit|--mode') values=('fast' 'relax' 'turbo') ;;
    'edit|--version' | 'edit|--v') values=('5.2' '6' '6.1' '7' '8' '8.1' '8.2') ;;
    'edit|--niji') values=('4' '5' '6' '7') ;;
    'edit|--quality' | 'edit|--q') values=('.25' '.5' '1' '2' '4') ;;
    'edit|--style') values=('raw' 'cute' 'scenic' 'expressive' 'original') ;;
    'edit|--sref') values=('random') ;;
    'describe|--mode') values=('fast' 'relax' 'turbo') ;;
    'describe|--version' | 'describe|--v') values=('5.2' '6' '6.1' '7' '8' '8.1' '8.2') ;;
    'describe|--niji') values=('4' '5' '6' '7') ;;
    'describe|--quality' | 'describe|--q') values=('.25' '.5' '1' '2' '4') ;;
    'describe|--style') values=('raw' 'cute' 'scenic' 'expressive' 'original') ;;
    'describe|--sref') values=('random') ;;
    'video|--mode') values=('fast' 'turbo') ;;
    'video|--resolution') values=('480p' '720p') ;;
    'extend-video|--mode') values=('fast' 'turbo') ;;
    'extend-video|--resolution') values=('480p' '720p') ;;
    'check|--version' | 'check|--v') values=('5.2' '6' '6.1' '7' '8' '8.1' '8.2') ;;
    'check|--niji') values=('4' '5' '6' '7') ;;
    'check|--quality' | 'check|--q') values=('.25' '.5' '1' '2' '4') ;;
    'check|--style') values=('raw' 'cute' 'scenic' 'expressive' 'original') ;;
    'check|--sref') values=('random') ;;
    'history|--state') values=('submitting' 'running' 'unknown' 'done' 'failed' 'unfinished') ;;
    'auth login|--token-in') values=('header' 'query') ;;
    'completion|0') values=('bash' 'zsh' 'fish' 'powershell') ;;
    esac
}

# Offer the files or directories ($1) that begin with $3, each with $2 in front.
_mj_files() {
    local name
    if [[ -z $2 ]] && ((BASH_VERSINFO[0] >= 4)); then
        # Readline does it best: it knows about quotes and the tilde.
        if [[ $1 == dir ]]; then
            compopt -o dirnames 2>/dev/null
        else
            compopt -o default 2>/dev/null
        fi
        return
    fi
    for name in "$3"*; do
        if [[ -d $name ]]; then
            COMPREPLY+=("$2$name/")
        elif [[ -e $name && $1 != dir ]]; then
            COMPREPLY+=("$2$name")
        fi
    done
}

_mj() {
    local IFS=$' \t\n'
    local line=${COMP_LINE:0:COMP_POINT} rest piece current fixed='' word letters
    local name='' used=' ' wanting='' ended='' prefix='' kind='' option flag
    local -i i=0 n=0 position=0
    local -a words commands options values
    local valued=''
    COMPREPLY=()

    # COMP_WORDBREAKS has cut words at "=", ":" and "@": put together what no space separates.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        rest=${line#"${line%%[![:space:]]*}"}
        if ((i == COMP_CWORD)) && [[ -n $COMP_LINE ]]; then
            piece=$rest
        fi
        if ((n > 0)) && [[ $rest == "$line" && -n $COMP_LINE ]]; then
            words[n - 1]=${words[n - 1]}$piece
        else
            words[n]=$piece
            n=n+1
        fi
        line=${rest#"$piece"}
    done
    current=${words[n - 1]}
    # Readline replaces only the end of it ($2): "fixed" stays as it is.
    if [[ $current == *"$2" ]]; then
        fixed=${current%"$2"}
    fi

    _mj_command ''
    for ((i = 1; i < n - 1; i++)); do
        word=${words[i]}
        if [[ -n $wanting ]]; then
            wanting=''
        elif [[ -n $ended || $word != -?* ]]; then
            if ((${#commands[@]} == 0)); then
                position=position+1
            elif [[ " ${commands[*]} " == *" $word "* ]]; then
                name=${name:+$name }$word
                _mj_command "$name"
            else
                return
            fi
        elif [[ $word == -- ]]; then
            ended=yes
        elif [[ $word == --*=* ]]; then
            used+="${word%%=*} "
        elif [[ $word == --* ]]; then
            used+="$word "
            if [[ $valued == *" $word "* ]]; then
                wanting=$word
            fi
        else
            letters=${word#-}
            while [[ -n $letters ]]; do
                flag=-${letters:0:1}
                letters=${letters:1}
                used+="$flag "
                if [[ $valued == *" $flag "* ]]; then
                    if [[ -z $letters ]]; then
                        wanting=$flag
                    fi
                    break
                fi
            done
        fi
    done

    values=()
    if [[ -n $wanting ]]; then
        _mj_values "$name|$wanting"
    elif [[ -z $ended && $current == --*=* ]]; then
        prefix=${current%%=*}=
        _mj_values "$name|${prefix%=}"
    elif [[ -z $ended && $current == -* ]]; then
        for option in "${options[@]}"; do
            if [[ $option != \** ]]; then
                for flag in $option; do
                    if [[ $used == *" $flag "* ]]; then
                        option=''
                    fi
                done
            fi
            for flag in ${option#\*}; do
                values+=("$flag")
            done
        done
    elif ((${#commands[@]} > 0)); then
        values=("${commands[@]}")
    else
        _mj_values "$name|$position"
    fi

    if [[ -n $kind ]]; then
        if [[ $fixed == "$prefix" ]]; then
            prefix=''
        fi
        _mj_files "$kind" "$prefix" "${current#"${fixed:-$prefix}"}"
        return
    fi
    for word in ${values[@]+"${values[@]}"}; do
        if [[ $prefix$word == "$current"* ]]; then
            word=$prefix$word
            COMPREPLY+=("${word#"$fixed"}")
        fi
    done
}

if ((BASH_VERSINFO[0] >= 4)); then
    complete -F _mj mj
else
    complete -o default -F _mj mj
fi
