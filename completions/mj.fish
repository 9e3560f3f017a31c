# fish completion for mj
#
# Everything there is to complete stands in this file: completing starts no process.

# Read the words before the cursor: the command, the options given, the number of arguments.
function __mj_read
    set -l tokens (commandline -opc)
    if set -q __mj_tokens; and test "$tokens" = "$__mj_tokens"
        return
    end
    set -g __mj_tokens "$tokens"
    set -g __mj_name mj
    set -g __mj_used
    set -g __mj_position 0
    set -l wanting
    set -l ended
    for token in $tokens[2..-1]
        if set -q wanting[1]
            set -a __mj_used $wanting
            set wanting
        else if set -q ended[1]; or not string match -q -- '-?*' $token
            if __mj_known "$__mj_name $token"
                set __mj_name "$__mj_name $token"
            else
                set __mj_position (math $__mj_position + 1)
            end
        else if test x$token = x--
            set ended yes
        else if string match -q -- '--*=*' $token
            set -a __mj_used (string replace -r -- '=.*' '' $token)
        else if string match -q -- '--*' $token
            if __mj_valued "$__mj_name $token"
                set wanting $token
            else
                set -a __mj_used $token
            end
        else
            set -l letters (string split '' -- (string sub -s 2 -- $token))
            while set -q letters[1]
                set -l flag -$letters[1]
                set -e letters[1]
                if __mj_valued "$__mj_name $flag"
                    if not set -q letters[1]
                        set wanting $flag
                    else
                        set -a __mj_used $flag
                    end
                    break
                end
                set -a __mj_used $flag
            end
        end
    end
end

# Whether the command is $argv[1] and none of the other arguments has been given.
function __mj_at
    __mj_read
    test "$__mj_name" = "$argv[1]"; or return 1
    for flag in $argv[2..-1]
        contains -- $flag $__mj_used; and return 1
    end
    return 0
end

# Whether the command is $argv[1] and its argument number $argv[2] comes next, or (with "more") a later one.
function __mj_argument
    __mj_at $argv[1]; or return 1
    test $__mj_position -eq $argv[2]; and return 0
    test "$argv[3]" = more; and test $__mj_position -gt $argv[2]
end

# Whether these words are a command.
function __mj_known
    switch $argv[1]
        case 'mj imagine' \
            'mj action' \
            'mj blend' \
            'mj edit' \
            'mj describe' \
            'mj video' \
            'mj extend-video' \
            'mj shorten' \
            'mj translate' \
            'mj seed' \
            'mj check' \
            'mj describe-task' \
            'mj history' \
            'mj history show' \
            'mj resume' \
            'mj download' \
            'mj open' \
            'mj listen' \
            'mj auth' \
            'mj auth login' \
            'mj auth status' \
            'mj auth logout' \
            'mj config' \
            'mj config path' \
            'mj config list' \
            'mj config get' \
            'mj config set' \
            'mj config unset' \
            'mj sandbox' \
            'mj completion'
            return 0
    end
    return 1
end

# Whether this option of this command wants a value.
function __mj_valued
    switch $argv[1]
        case 'mj --field' \
            'mj --profile' \
            'mj imagine --image' \
            'mj imagine --mode' \
            'mj imagine --retries' \
            'mj imagine --timeout' \
            'mj imagine --callback-url' \
            'mj imagine --host' \
            'mj imagine --port' \
            'mj imagine --public-url' \
            'mj imagine -o' \
            'mj imagine --output' \
            'mj imagine --preset' \
            'mj imagine --version' \
            'mj imagine --v' \
            'mj imagine --niji' \
            'mj imagine --aspect' \
            'mj imagine --ar' \
            'mj imagine --quality' \
            'mj imagine --q' \
            'mj imagine --stylize' \
            'mj imagine --s' \
            'mj imagine --chaos' \
            'mj imagine --c' \
            'mj imagine --weird' \
            'mj imagine --w' \
            'mj imagine --seed' \
            'mj imagine --stop' \
            'mj imagine --repeat' \
            'mj imagine --r' \
            'mj imagine --no' \
            'mj imagine --style' \
            'mj imagine --iw' \
            'mj imagine --sref' \
            'mj imagine --sw' \
            'mj imagine --sv' \
            'mj imagine --cref' \
            'mj imagine --cw' \
            'mj imagine --oref' \
            'mj imagine --ow' \
            'mj imagine --exp' \
            'mj imagine --p' \
            'mj imagine --field' \
            'mj imagine --profile' \
            'mj action --prompt' \
            'mj action --mask' \
            'mj action --region' \
            'mj action --mode' \
            'mj action --retries' \
            'mj action --timeout' \
            'mj action --callback-url' \
            'mj action --host' \
            'mj action --port' \
            'mj action --public-url' \
            'mj action -o' \
            'mj action --output' \
            'mj action --field' \
            'mj action --profile' \
            'mj blend --mode' \
            'mj blend --retries' \
            'mj blend --timeout' \
            'mj blend --callback-url' \
            'mj blend --host' \
            'mj blend --port' \
            'mj blend --public-url' \
            'mj blend -o' \
            'mj blend --output' \
            'mj blend --preset' \
            'mj blend --version' \
            'mj blend --v' \
            'mj blend --niji' \
            'mj blend --aspect' \
            'mj blend --ar' \
            'mj blend --quality' \
            'mj blend --q' \
            'mj blend --stylize' \
            'mj blend --s' \
            'mj blend --chaos' \
            'mj blend --c' \
            'mj blend --weird' \
            'mj blend --w' \
            'mj blend --seed' \
            'mj blend --stop' \
            'mj blend --repeat' \
            'mj blend --r' \
            'mj blend --no' \
            'mj blend --style' \
            'mj blend --iw' \
            'mj blend --sref' \
            'mj blend --sw' \
            'mj blend --sv' \
            'mj blend --cref' \
            'mj blend --cw' \
            'mj blend --oref' \
            'mj blend --ow' \
            'mj blend --exp' \
            'mj blend --p' \
            'mj blend --field' \
            'mj blend --profile' \
            'mj edit --mask' \
            'mj edit --region' \
            'mj edit --mode' \
            'mj edit --retries' \
            'mj edit --timeout' \
            'mj edit --callback-url' \
            'mj edit --host' \
            'mj edit --port' \
            'mj edit --public-url' \
            'mj edit -o' \
            'mj edit --output' \
            'mj edit --preset' \
            'mj edit --version' \
            'mj edit --v' \
            'mj edit --niji' \
            'mj edit --aspect' \
            'mj edit --ar' \
            'mj edit --quality' \
            'mj edit --q' \
            'mj edit --stylize' \
            'mj edit --s' \
            'mj edit --chaos' \
            'mj edit --c' \
            'mj edit --weird' \
            'mj edit --w' \
            'mj edit --seed' \
            'mj edit --stop' \
            'mj edit --repeat' \
            'mj edit --r' \
            'mj edit --no' \
            'mj edit --style' \
            'mj edit --iw' \
            'mj edit --sref' \
            'mj edit --sw' \
            'mj edit --sv' \
            'mj edit --cref' \
            'mj edit --cw' \
            'mj edit --oref' \
            'mj edit --ow' \
            'mj edit --exp' \
            'mj edit --p' \
            'mj edit --field' \
            'mj edit --profile' \
            'mj describe --use' \
            'mj describe --mode' \
            'mj describe --retries' \
            'mj describe --timeout' \
            'mj describe --callback-url' \
            'mj describe --host' \
            'mj describe --port' \
            'mj describe --public-url' \
            'mj describe -o' \
            'mj describe --output' \
            'mj describe --preset' \
            'mj describe --version' \
            'mj describe --v' \
            'mj describe --niji' \
            'mj describe --aspect' \
            'mj describe --ar' \
            'mj describe --quality' \
            'mj describe --q' \
            'mj describe --stylize' \
            'mj describe --s' \
            'mj describe --chaos' \
            'mj describe --c' \
            'mj describe --weird' \
            'mj describe --w' \
            'mj describe --seed' \
            'mj describe --stop' \
            'mj describe --repeat' \
            'mj describe --r' \
            'mj describe --no' \
            'mj describe --style' \
            'mj describe --iw' \
            'mj describe --sref' \
            'mj describe --sw' \
            'mj describe --sv' \
            'mj describe --cref' \
            'mj describe --cw' \
            'mj describe --oref' \
            'mj describe --ow' \
            'mj describe --exp' \
            'mj describe --p' \
            'mj describe --field' \
            'mj describe --profile' \
            'mj video --image' \
            'mj video --mode' \
            'mj video --end-image' \
            'mj video --resolution' \
            'mj video --retries' \
            'mj video --timeout' \
            'mj video --callback-url' \
            'mj video --host' \
            'mj video --port' \
            'mj video --public-url' \
            'mj video -o' \
            'mj video --output' \
            'mj video --field' \
            'mj video --profile' \
            'mj extend-video --index' \
            'mj extend-video --mode' \
            'mj extend-video --end-image' \
            'mj extend-video --resolution' \
            'mj extend-video --retries' \
            'mj extend-video --timeout' \
            'mj extend-video --callback-url' \
            'mj extend-video --host' \
            'mj extend-video --port' \
            'mj extend-video --public-url' \
            'mj extend-video -o' \
            'mj extend-video --output' \
            'mj extend-video --field' \
            'mj extend-video --profile' \
            'mj shorten --retries' \
            'mj shorten --timeout' \
            'mj shorten --field' \
            'mj shorten --profile' \
            'mj translate --retries' \
            'mj translate --timeout' \
            'mj translate --field' \
            'mj translate --profile' \
            'mj seed --retries' \
            'mj seed --timeout' \
            'mj seed --field' \
            'mj seed --profile' \
            'mj check --image' \
            'mj check --preset' \
            'mj check --version' \
            'mj check --v' \
            'mj check --niji' \
            'mj check --aspect' \
            'mj check --ar' \
            'mj check --quality' \
            'mj check --q' \
            'mj check --stylize' \
            'mj check --s' \
            'mj check --chaos' \
            'mj check --c' \
            'mj check --weird' \
            'mj check --w' \
            'mj check --seed' \
            'mj check --stop' \
            'mj check --repeat' \
            'mj check --r' \
            'mj check --no' \
            'mj check --style' \
            'mj check --iw' \
            'mj check --sref' \
            'mj check --sw' \
            'mj check --sv' \
            'mj check --cref' \
            'mj check --cw' \
            'mj check --oref' \
            'mj check --ow' \
            'mj check --exp' \
            'mj check --p' \
            'mj check --field' \
            'mj check --profile' \
            'mj describe-task --timeout' \
            'mj describe-task -o' \
            'mj describe-task --output' \
            'mj describe-task --field' \
            'mj describe-task --profile' \
            'mj history --state' \
            'mj history --kind' \
            'mj history --search' \
            'mj history --since' \
            'mj history --before' \
            'mj history -n' \
            'mj history --limit' \
            'mj history --field' \
            'mj history --profile' \
            'mj history show --field' \
            'mj history show --profile' \
            'mj resume --task' \
            'mj resume --timeout' \
            'mj resume --retries' \
            'mj resume -o' \
            'mj resume --output' \
            'mj resume --field' \
            'mj resume --profile' \
            'mj download -o' \
            'mj download --output' \
            'mj download --field' \
            'mj download --profile' \
            'mj open --field' \
            'mj open --profile' \
            'mj listen --host' \
            'mj listen --port' \
            'mj listen --public-url' \
            'mj listen --once' \
            'mj listen --timeout' \
            'mj listen --exec' \
            'mj listen -o' \
            'mj listen --output' \
            'mj listen --field' \
            'mj listen --profile' \
            'mj auth --field' \
            'mj auth --profile' \
            'mj auth login --base-url' \
            'mj auth login --token-in' \
            'mj auth login --field' \
            'mj auth login --profile' \
            'mj auth status --field' \
            'mj auth status --profile' \
            'mj auth logout --field' \
            'mj auth logout --profile' \
            'mj config --field' \
            'mj config --profile' \
            'mj config path --field' \
            'mj config path --profile' \
            'mj config list --field' \
            'mj config list --profile' \
            'mj config get --field' \
            'mj config get --profile' \
            'mj config set --field' \
            'mj config set --profile' \
            'mj config unset --field' \
            'mj config unset --profile' \
            'mj sandbox --port' \
            'mj sandbox --seconds' \
            'mj sandbox --failure-rate' \
            'mj sandbox --error-rate' \
            'mj sandbox --cut-rate' \
            'mj sandbox --rate-limit' \
            'mj sandbox --require-token' \
            'mj sandbox --random-seed' \
            'mj sandbox --field' \
            'mj sandbox --profile' \
            'mj completion --field' \
            'mj completion --profile'
            return 0
    end
    return 1
end

complete -c mj -e
complete -c mj -f

# mj
complete -c mj -n '__mj_argument \'mj\' 0' -a imagine -d 'Make pictures from words'
complete -c mj -n '__mj_argument \'mj\' 0' -a action -d 'Upscale, vary, zoom, pan or reroll an earlier image'
complete -c mj -n '__mj_argument \'mj\' 0' -a blend -d 'Blend two to five images, with optional words'
complete -c mj -n '__mj_argument \'mj\' 0' -a edit -d 'Change a picture by words'
complete -c mj -n '__mj_argument \'mj\' 0' -a describe -d 'Describe a picture in words, in four ways'
complete -c mj -n '__mj_argument \'mj\' 0' -a video -d 'Make four short videos that begin with a picture'
complete -c mj -n '__mj_argument \'mj\' 0' -a extend-video -d 'Make one of four videos longer'
complete -c mj -n '__mj_argument \'mj\' 0' -a shorten -d 'Shorten a prompt to what counts, in up to five ways'
complete -c mj -n '__mj_argument \'mj\' 0' -a translate -d 'Translate text into English'
complete -c mj -n '__mj_argument \'mj\' 0' -a seed -d 'Tell the seed of an image'
complete -c mj -n '__mj_argument \'mj\' 0' -a check -d 'Check a prompt and show it as it would be sent, with the origin of each part'
complete -c mj -n '__mj_argument \'mj\' 0' -a describe-task -d 'Tell what became of tasks: state, times, request and result'
complete -c mj -n '__mj_argument \'mj\' 0' -a history -d 'List the jobs of the profile in use, newest first'
complete -c mj -n '__mj_argument \'mj\' 0' -a resume -d 'Take up unfinished jobs: follow them to their end and save the files that were asked for'
complete -c mj -n '__mj_argument \'mj\' 0' -a download -d 'Save the pictures of earlier jobs'
complete -c mj -n '__mj_argument \'mj\' 0' -a open -d 'Show the picture of a job: the saved file, else its link'
complete -c mj -n '__mj_argument \'mj\' 0' -a listen -d 'Receive callbacks and tell each one as an event; the ledger learns of it, too'
complete -c mj -n '__mj_argument \'mj\' 0' -a auth -d 'Log in, log out, and see whose token is in use'
complete -c mj -n '__mj_argument \'mj\' 0' -a config -d 'Show and change the settings'
complete -c mj -n '__mj_argument \'mj\' 0' -a sandbox -d 'Serve the embedded stand-in of the service on this machine'
complete -c mj -n '__mj_argument \'mj\' 0' -a completion -d 'Print the script that completes mj\'s commands, options and values in a shell'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' --version' -l version -d 'Print the version'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj\'' -n '__mj_at \'mj\' -h --help' -s h -l help -d 'Show this help'

# mj imagine
complete -c mj -n '__mj_at \'mj imagine\'' -l image -x -d 'Put this image in front: a link, a file, @last, an id, - for standard input (up to five times)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --translation --no-translation' -l translation -d 'Have the service translate the prompt into English'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --translation --no-translation' -l no-translation -d 'Have the service translate the prompt into English'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --style-reference --no-style-reference' -l style-reference -d 'Say that the prompt uses style references (dearer)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --style-reference --no-style-reference' -l no-style-reference -d 'Say that the prompt uses style references (dearer)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --moodboard --no-moodboard' -l moodboard -d 'Say that the prompt uses a moodboard (dearer)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --moodboard --no-moodboard' -l no-moodboard -d 'Say that the prompt uses a moodboard (dearer)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --mode' -l mode -x -a 'fast relax turbo' -d 'How fast, and how dear, the job is'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --split-images --no-split-images' -l split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --split-images --no-split-images' -l no-split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --stream --no-stream' -l stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --stream --no-stream' -l no-stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --no-wait' -l no-wait -d 'Answer the task id at once'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --callback-url' -l callback-url -x -d 'Have the service send the result there; answer the task id at once'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --listen' -l listen -d 'Wait by a callback, received here, where the service can reach this machine'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj imagine\'' -l preset -x -d 'Put this preset of the config file behind the words (repeatable; later ones win)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --permute' -l permute -d 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' -y --yes' -s y -l yes -d 'Agree beforehand to as many jobs as --permute makes'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj imagine\'' -l version -l v -x -a '\'5.2\' 6 \'6.1\' 7 8 \'8.1\' \'8.2\'' -d 'Model version'
complete -c mj -n '__mj_at \'mj imagine\'' -l niji -x -a '4 5 6 7' -d 'Model version for anime'
complete -c mj -n '__mj_at \'mj imagine\'' -l aspect -l ar -x -d 'Proportions, width to height'
complete -c mj -n '__mj_at \'mj imagine\'' -l quality -l q -x -a '\'.25\' \'.5\' 1 2 4' -d 'Time spent on details'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --hd' -l hd -d 'High definition (version 8 on)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --sd' -l sd -d 'Standard definition (version 8 on)'
complete -c mj -n '__mj_at \'mj imagine\'' -l stylize -l s -x -d 'How strongly Midjourney\'s taste shows, 0-1000'
complete -c mj -n '__mj_at \'mj imagine\'' -l chaos -l c -x -d 'How much the four pictures differ, 0-100'
complete -c mj -n '__mj_at \'mj imagine\'' -l weird -l w -x -d 'How strange, 0-3000'
complete -c mj -n '__mj_at \'mj imagine\'' -l seed -x -d 'Start from this noise, 0-4294967295'
complete -c mj -n '__mj_at \'mj imagine\'' -l stop -x -d 'End early, at this percentage, 10-100'
complete -c mj -n '__mj_at \'mj imagine\'' -l repeat -l r -x -d 'Make the job this many times, 1-40; each one is paid'
complete -c mj -n '__mj_at \'mj imagine\'' -l no -x -d 'What shall not be seen, with commas'
complete -c mj -n '__mj_at \'mj imagine\'' -l style -x -a 'raw cute scenic expressive original' -d 'Less of Midjourney\'s taste; all but raw with --niji'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --raw' -l raw -d 'The same as --style raw'
complete -c mj -n '__mj_at \'mj imagine\'' -l iw -x -d 'Weight of the image prompts, 0-3'
complete -c mj -n '__mj_at \'mj imagine\'' -l sref -x -a 'random' -d 'Style reference: link, code or random (repeatable)'
complete -c mj -n '__mj_at \'mj imagine\'' -l sw -x -d 'Weight of --sref, 0-1000'
complete -c mj -n '__mj_at \'mj imagine\'' -l sv -x -d 'Version of the style reference, 1-8'
complete -c mj -n '__mj_at \'mj imagine\'' -l cref -x -d 'Character reference (repeatable)'
complete -c mj -n '__mj_at \'mj imagine\'' -l cw -x -d 'Weight of --cref, 0-100'
complete -c mj -n '__mj_at \'mj imagine\'' -l oref -x -d 'Omni reference'
complete -c mj -n '__mj_at \'mj imagine\'' -l ow -x -d 'Weight of --oref, 1-1000'
complete -c mj -n '__mj_at \'mj imagine\'' -l exp -x -d 'Experimental aesthetics, 0-100'
complete -c mj -n '__mj_at \'mj imagine\'' -l p -x -d 'Personalisation code (repeatable)'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --tile' -l tile -d 'A pattern that repeats without a seam'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --draft' -l draft -d 'Draft mode'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --video' -l video -d 'Keep a video of the picture being made'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --fast' -l fast -d 'Fast mode, said in the prompt'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --relax' -l relax -d 'Relax mode, said in the prompt'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --turbo' -l turbo -d 'Turbo mode, said in the prompt'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --stealth' -l stealth -d 'Keep the picture off the public gallery'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --public' -l public -d 'Show the picture in the public gallery'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj imagine\'' -n '__mj_at \'mj imagine\' -h --help' -s h -l help -d 'Show this help'

# mj action
complete -c mj -n '__mj_argument \'mj action\' 0' -a 'upscale1 upscale2 upscale3 upscale4 variation1 variation2 variation3 variation4 reroll \'upscale_2x\' \'upscale_4x\' \'upscale_subtle\' \'upscale_creative\' \'redo_upscale_2x\' \'redo_upscale_4x\' \'redo_upscale_subtle\' \'redo_upscale_creative\' \'variation_subtle\' \'variation_strong\' \'variation_region\' \'zoom_out_2x\' \'zoom_out_1_5x\' \'pan_left\' \'pan_right\' \'pan_up\' \'pan_down\' square' -d 'ACTION'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --prompt' -l prompt -x -d 'For variation_region: what to draw there'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --mask' -l mask -r -F -d 'A grey picture, white where to redraw: PNG, JPEG or WebP'
complete -c mj -n '__mj_at \'mj action\'' -l region -x -d 'Redraw this rectangle, in pixels or percent from the top left corner (repeatable)'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --mode' -l mode -x -a 'fast relax turbo' -d 'How fast, and how dear, the job is'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --split-images --no-split-images' -l split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --split-images --no-split-images' -l no-split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --stream --no-stream' -l stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --stream --no-stream' -l no-stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --no-wait' -l no-wait -d 'Answer the task id at once'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --callback-url' -l callback-url -x -d 'Have the service send the result there; answer the task id at once'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --listen' -l listen -d 'Wait by a callback, received here, where the service can reach this machine'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj action\'' -n '__mj_at \'mj action\' -h --help' -s h -l help -d 'Show this help'

# mj blend
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --translation --no-translation' -l translation -d 'Have the service translate the prompt into English'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --translation --no-translation' -l no-translation -d 'Have the service translate the prompt into English'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --mode' -l mode -x -a 'fast relax turbo' -d 'How fast, and how dear, the job is'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --split-images --no-split-images' -l split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --split-images --no-split-images' -l no-split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --stream --no-stream' -l stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --stream --no-stream' -l no-stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --no-wait' -l no-wait -d 'Answer the task id at once'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --callback-url' -l callback-url -x -d 'Have the service send the result there; answer the task id at once'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --listen' -l listen -d 'Wait by a callback, received here, where the service can reach this machine'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj blend\'' -l preset -x -d 'Put this preset of the config file behind the words (repeatable; later ones win)'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --permute' -l permute -d 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' -y --yes' -s y -l yes -d 'Agree beforehand to as many jobs as --permute makes'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj blend\'' -l version -l v -x -a '\'5.2\' 6 \'6.1\' 7 8 \'8.1\' \'8.2\'' -d 'Model version'
complete -c mj -n '__mj_at \'mj blend\'' -l niji -x -a '4 5 6 7' -d 'Model version for anime'
complete -c mj -n '__mj_at \'mj blend\'' -l aspect -l ar -x -d 'Proportions, width to height'
complete -c mj -n '__mj_at \'mj blend\'' -l quality -l q -x -a '\'.25\' \'.5\' 1 2 4' -d 'Time spent on details'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --hd' -l hd -d 'High definition (version 8 on)'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --sd' -l sd -d 'Standard definition (version 8 on)'
complete -c mj -n '__mj_at \'mj blend\'' -l stylize -l s -x -d 'How strongly Midjourney\'s taste shows, 0-1000'
complete -c mj -n '__mj_at \'mj blend\'' -l chaos -l c -x -d 'How much the four pictures differ, 0-100'
complete -c mj -n '__mj_at \'mj blend\'' -l weird -l w -x -d 'How strange, 0-3000'
complete -c mj -n '__mj_at \'mj blend\'' -l seed -x -d 'Start from this noise, 0-4294967295'
complete -c mj -n '__mj_at \'mj blend\'' -l stop -x -d 'End early, at this percentage, 10-100'
complete -c mj -n '__mj_at \'mj blend\'' -l repeat -l r -x -d 'Make the job this many times, 1-40; each one is paid'
complete -c mj -n '__mj_at \'mj blend\'' -l no -x -d 'What shall not be seen, with commas'
complete -c mj -n '__mj_at \'mj blend\'' -l style -x -a 'raw cute scenic expressive original' -d 'Less of Midjourney\'s taste; all but raw with --niji'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --raw' -l raw -d 'The same as --style raw'
complete -c mj -n '__mj_at \'mj blend\'' -l iw -x -d 'Weight of the image prompts, 0-3'
complete -c mj -n '__mj_at \'mj blend\'' -l sref -x -a 'random' -d 'Style reference: link, code or random (repeatable)'
complete -c mj -n '__mj_at \'mj blend\'' -l sw -x -d 'Weight of --sref, 0-1000'
complete -c mj -n '__mj_at \'mj blend\'' -l sv -x -d 'Version of the style reference, 1-8'
complete -c mj -n '__mj_at \'mj blend\'' -l cref -x -d 'Character reference (repeatable)'
complete -c mj -n '__mj_at \'mj blend\'' -l cw -x -d 'Weight of --cref, 0-100'
complete -c mj -n '__mj_at \'mj blend\'' -l oref -x -d 'Omni reference'
complete -c mj -n '__mj_at \'mj blend\'' -l ow -x -d 'Weight of --oref, 1-1000'
complete -c mj -n '__mj_at \'mj blend\'' -l exp -x -d 'Experimental aesthetics, 0-100'
complete -c mj -n '__mj_at \'mj blend\'' -l p -x -d 'Personalisation code (repeatable)'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --tile' -l tile -d 'A pattern that repeats without a seam'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --draft' -l draft -d 'Draft mode'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --video' -l video -d 'Keep a video of the picture being made'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --fast' -l fast -d 'Fast mode, said in the prompt'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --relax' -l relax -d 'Relax mode, said in the prompt'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --turbo' -l turbo -d 'Turbo mode, said in the prompt'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --stealth' -l stealth -d 'Keep the picture off the public gallery'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --public' -l public -d 'Show the picture in the public gallery'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj blend\'' -n '__mj_at \'mj blend\' -h --help' -s h -l help -d 'Show this help'

# mj edit
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --mask' -l mask -r -F -d 'A grey picture, white where to redraw: PNG, JPEG or WebP'
complete -c mj -n '__mj_at \'mj edit\'' -l region -x -d 'Redraw this rectangle, in pixels or percent from the top left corner (repeatable)'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --mode' -l mode -x -a 'fast relax turbo' -d 'How fast, and how dear, the job is'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --split-images --no-split-images' -l split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --split-images --no-split-images' -l no-split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --stream --no-stream' -l stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --stream --no-stream' -l no-stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --no-wait' -l no-wait -d 'Answer the task id at once'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --callback-url' -l callback-url -x -d 'Have the service send the result there; answer the task id at once'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --listen' -l listen -d 'Wait by a callback, received here, where the service can reach this machine'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj edit\'' -l preset -x -d 'Put this preset of the config file behind the words (repeatable; later ones win)'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --permute' -l permute -d 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' -y --yes' -s y -l yes -d 'Agree beforehand to as many jobs as --permute makes'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj edit\'' -l version -l v -x -a '\'5.2\' 6 \'6.1\' 7 8 \'8.1\' \'8.2\'' -d 'Model version'
complete -c mj -n '__mj_at \'mj edit\'' -l niji -x -a '4 5 6 7' -d 'Model version for anime'
complete -c mj -n '__mj_at \'mj edit\'' -l aspect -l ar -x -d 'Proportions, width to height'
complete -c mj -n '__mj_at \'mj edit\'' -l quality -l q -x -a '\'.25\' \'.5\' 1 2 4' -d 'Time spent on details'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --hd' -l hd -d 'High definition (version 8 on)'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --sd' -l sd -d 'Standard definition (version 8 on)'
complete -c mj -n '__mj_at \'mj edit\'' -l stylize -l s -x -d 'How strongly Midjourney\'s taste shows, 0-1000'
complete -c mj -n '__mj_at \'mj edit\'' -l chaos -l c -x -d 'How much the four pictures differ, 0-100'
complete -c mj -n '__mj_at \'mj edit\'' -l weird -l w -x -d 'How strange, 0-3000'
complete -c mj -n '__mj_at \'mj edit\'' -l seed -x -d 'Start from this noise, 0-4294967295'
complete -c mj -n '__mj_at \'mj edit\'' -l stop -x -d 'End early, at this percentage, 10-100'
complete -c mj -n '__mj_at \'mj edit\'' -l repeat -l r -x -d 'Make the job this many times, 1-40; each one is paid'
complete -c mj -n '__mj_at \'mj edit\'' -l no -x -d 'What shall not be seen, with commas'
complete -c mj -n '__mj_at \'mj edit\'' -l style -x -a 'raw cute scenic expressive original' -d 'Less of Midjourney\'s taste; all but raw with --niji'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --raw' -l raw -d 'The same as --style raw'
complete -c mj -n '__mj_at \'mj edit\'' -l iw -x -d 'Weight of the image prompts, 0-3'
complete -c mj -n '__mj_at \'mj edit\'' -l sref -x -a 'random' -d 'Style reference: link, code or random (repeatable)'
complete -c mj -n '__mj_at \'mj edit\'' -l sw -x -d 'Weight of --sref, 0-1000'
complete -c mj -n '__mj_at \'mj edit\'' -l sv -x -d 'Version of the style reference, 1-8'
complete -c mj -n '__mj_at \'mj edit\'' -l cref -x -d 'Character reference (repeatable)'
complete -c mj -n '__mj_at \'mj edit\'' -l cw -x -d 'Weight of --cref, 0-100'
complete -c mj -n '__mj_at \'mj edit\'' -l oref -x -d 'Omni reference'
complete -c mj -n '__mj_at \'mj edit\'' -l ow -x -d 'Weight of --oref, 1-1000'
complete -c mj -n '__mj_at \'mj edit\'' -l exp -x -d 'Experimental aesthetics, 0-100'
complete -c mj -n '__mj_at \'mj edit\'' -l p -x -d 'Personalisation code (repeatable)'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --tile' -l tile -d 'A pattern that repeats without a seam'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --draft' -l draft -d 'Draft mode'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --video' -l video -d 'Keep a video of the picture being made'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --fast' -l fast -d 'Fast mode, said in the prompt'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --relax' -l relax -d 'Relax mode, said in the prompt'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --turbo' -l turbo -d 'Turbo mode, said in the prompt'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --stealth' -l stealth -d 'Keep the picture off the public gallery'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --public' -l public -d 'Show the picture in the public gallery'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj edit\'' -n '__mj_at \'mj edit\' -h --help' -s h -l help -d 'Show this help'

# mj describe
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --use' -l use -x -d 'Make a picture from the Nth description, as mj imagine does'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --mode' -l mode -x -a 'fast relax turbo' -d 'How fast, and how dear, the job is'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --split-images --no-split-images' -l split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --split-images --no-split-images' -l no-split-images -d 'Have the four pictures of a grid one by one, too'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --stream --no-stream' -l stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --stream --no-stream' -l no-stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --no-wait' -l no-wait -d 'Answer the task id at once'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --callback-url' -l callback-url -x -d 'Have the service send the result there; answer the task id at once'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --listen' -l listen -d 'Wait by a callback, received here, where the service can reach this machine'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj describe\'' -l preset -x -d 'Put this preset of the config file behind the words (repeatable; later ones win)'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --permute' -l permute -d 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' -y --yes' -s y -l yes -d 'Agree beforehand to as many jobs as --permute makes'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj describe\'' -l version -l v -x -a '\'5.2\' 6 \'6.1\' 7 8 \'8.1\' \'8.2\'' -d 'Model version'
complete -c mj -n '__mj_at \'mj describe\'' -l niji -x -a '4 5 6 7' -d 'Model version for anime'
complete -c mj -n '__mj_at \'mj describe\'' -l aspect -l ar -x -d 'Proportions, width to height'
complete -c mj -n '__mj_at \'mj describe\'' -l quality -l q -x -a '\'.25\' \'.5\' 1 2 4' -d 'Time spent on details'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --hd' -l hd -d 'High definition (version 8 on)'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --sd' -l sd -d 'Standard definition (version 8 on)'
complete -c mj -n '__mj_at \'mj describe\'' -l stylize -l s -x -d 'How strongly Midjourney\'s taste shows, 0-1000'
complete -c mj -n '__mj_at \'mj describe\'' -l chaos -l c -x -d 'How much the four pictures differ, 0-100'
complete -c mj -n '__mj_at \'mj describe\'' -l weird -l w -x -d 'How strange, 0-3000'
complete -c mj -n '__mj_at \'mj describe\'' -l seed -x -d 'Start from this noise, 0-4294967295'
complete -c mj -n '__mj_at \'mj describe\'' -l stop -x -d 'End early, at this percentage, 10-100'
complete -c mj -n '__mj_at \'mj describe\'' -l repeat -l r -x -d 'Make the job this many times, 1-40; each one is paid'
complete -c mj -n '__mj_at \'mj describe\'' -l no -x -d 'What shall not be seen, with commas'
complete -c mj -n '__mj_at \'mj describe\'' -l style -x -a 'raw cute scenic expressive original' -d 'Less of Midjourney\'s taste; all but raw with --niji'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --raw' -l raw -d 'The same as --style raw'
complete -c mj -n '__mj_at \'mj describe\'' -l iw -x -d 'Weight of the image prompts, 0-3'
complete -c mj -n '__mj_at \'mj describe\'' -l sref -x -a 'random' -d 'Style reference: link, code or random (repeatable)'
complete -c mj -n '__mj_at \'mj describe\'' -l sw -x -d 'Weight of --sref, 0-1000'
complete -c mj -n '__mj_at \'mj describe\'' -l sv -x -d 'Version of the style reference, 1-8'
complete -c mj -n '__mj_at \'mj describe\'' -l cref -x -d 'Character reference (repeatable)'
complete -c mj -n '__mj_at \'mj describe\'' -l cw -x -d 'Weight of --cref, 0-100'
complete -c mj -n '__mj_at \'mj describe\'' -l oref -x -d 'Omni reference'
complete -c mj -n '__mj_at \'mj describe\'' -l ow -x -d 'Weight of --oref, 1-1000'
complete -c mj -n '__mj_at \'mj describe\'' -l exp -x -d 'Experimental aesthetics, 0-100'
complete -c mj -n '__mj_at \'mj describe\'' -l p -x -d 'Personalisation code (repeatable)'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --tile' -l tile -d 'A pattern that repeats without a seam'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --draft' -l draft -d 'Draft mode'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --video' -l video -d 'Keep a video of the picture being made'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --fast' -l fast -d 'Fast mode, said in the prompt'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --relax' -l relax -d 'Relax mode, said in the prompt'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --turbo' -l turbo -d 'Turbo mode, said in the prompt'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --stealth' -l stealth -d 'Keep the picture off the public gallery'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --public' -l public -d 'Show the picture in the public gallery'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj describe\'' -n '__mj_at \'mj describe\' -h --help' -s h -l help -d 'Show this help'

# mj video
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --image' -l image -x -d 'The picture that it begins with: a link, a file, @last, an id, - for standard input'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --mode' -l mode -x -a 'fast turbo' -d 'How fast, and how dear, the job is'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --end-image' -l end-image -x -d 'The picture that the video ends with'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --resolution' -l resolution -x -a '480p 720p' -d 'Height of the video in lines'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --loop --no-loop' -l loop -d 'Make the end run into the beginning'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --loop --no-loop' -l no-loop -d 'Make the end run into the beginning'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --stream --no-stream' -l stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --stream --no-stream' -l no-stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --no-wait' -l no-wait -d 'Answer the task id at once'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --callback-url' -l callback-url -x -d 'Have the service send the result there; answer the task id at once'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --listen' -l listen -d 'Wait by a callback, received here, where the service can reach this machine'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj video\'' -n '__mj_at \'mj video\' -h --help' -s h -l help -d 'Show this help'

# mj extend-video
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --index' -l index -x -d 'Which of the four videos; 0 is the first'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --mode' -l mode -x -a 'fast turbo' -d 'How fast, and how dear, the job is'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --end-image' -l end-image -x -d 'The picture that the video ends with'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --resolution' -l resolution -x -a '480p 720p' -d 'Height of the video in lines'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --loop --no-loop' -l loop -d 'Make the end run into the beginning'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --loop --no-loop' -l no-loop -d 'Make the end run into the beginning'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --stream --no-stream' -l stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --stream --no-stream' -l no-stream -d 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --no-wait' -l no-wait -d 'Answer the task id at once'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --callback-url' -l callback-url -x -d 'Have the service send the result there; answer the task id at once'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --listen' -l listen -d 'Wait by a callback, received here, where the service can reach this machine'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj extend-video\'' -n '__mj_at \'mj extend-video\' -h --help' -s h -l help -d 'Show this help'

# mj shorten
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj shorten\'' -n '__mj_at \'mj shorten\' -h --help' -s h -l help -d 'Show this help'

# mj translate
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj translate\'' -n '__mj_at \'mj translate\' -h --help' -s h -l help -d 'Show this help'

# mj seed
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --dry-run' -l dry-run -d 'Print the request as a curl command; send nothing'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --no-ledger' -l no-ledger -d 'Keep no record of the job (it cannot be found again by mj)'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --timeout' -l timeout -x -d 'Give up waiting after so long (default 900); also sent as the job\'s own time-out'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj seed\'' -n '__mj_at \'mj seed\' -h --help' -s h -l help -d 'Show this help'

# mj check
complete -c mj -n '__mj_at \'mj check\'' -l image -x -d 'Put this image in front: a link, a file, @last, an id, - for standard input (up to five times)'
complete -c mj -n '__mj_at \'mj check\'' -l preset -x -d 'Put this preset of the config file behind the words (repeatable; later ones win)'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --permute' -l permute -d 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' -y --yes' -s y -l yes -d 'Agree beforehand to as many jobs as --permute makes'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --strict' -l strict -d 'Refuse what is only doubtful, too'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --no-check' -l no-check -d 'Send the prompt as it is; look at neither it nor its images'
complete -c mj -n '__mj_at \'mj check\'' -l version -l v -x -a '\'5.2\' 6 \'6.1\' 7 8 \'8.1\' \'8.2\'' -d 'Model version'
complete -c mj -n '__mj_at \'mj check\'' -l niji -x -a '4 5 6 7' -d 'Model version for anime'
complete -c mj -n '__mj_at \'mj check\'' -l aspect -l ar -x -d 'Proportions, width to height'
complete -c mj -n '__mj_at \'mj check\'' -l quality -l q -x -a '\'.25\' \'.5\' 1 2 4' -d 'Time spent on details'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --hd' -l hd -d 'High definition (version 8 on)'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --sd' -l sd -d 'Standard definition (version 8 on)'
complete -c mj -n '__mj_at \'mj check\'' -l stylize -l s -x -d 'How strongly Midjourney\'s taste shows, 0-1000'
complete -c mj -n '__mj_at \'mj check\'' -l chaos -l c -x -d 'How much the four pictures differ, 0-100'
complete -c mj -n '__mj_at \'mj check\'' -l weird -l w -x -d 'How strange, 0-3000'
complete -c mj -n '__mj_at \'mj check\'' -l seed -x -d 'Start from this noise, 0-4294967295'
complete -c mj -n '__mj_at \'mj check\'' -l stop -x -d 'End early, at this percentage, 10-100'
complete -c mj -n '__mj_at \'mj check\'' -l repeat -l r -x -d 'Make the job this many times, 1-40; each one is paid'
complete -c mj -n '__mj_at \'mj check\'' -l no -x -d 'What shall not be seen, with commas'
complete -c mj -n '__mj_at \'mj check\'' -l style -x -a 'raw cute scenic expressive original' -d 'Less of Midjourney\'s taste; all but raw with --niji'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --raw' -l raw -d 'The same as --style raw'
complete -c mj -n '__mj_at \'mj check\'' -l iw -x -d 'Weight of the image prompts, 0-3'
complete -c mj -n '__mj_at \'mj check\'' -l sref -x -a 'random' -d 'Style reference: link, code or random (repeatable)'
complete -c mj -n '__mj_at \'mj check\'' -l sw -x -d 'Weight of --sref, 0-1000'
complete -c mj -n '__mj_at \'mj check\'' -l sv -x -d 'Version of the style reference, 1-8'
complete -c mj -n '__mj_at \'mj check\'' -l cref -x -d 'Character reference (repeatable)'
complete -c mj -n '__mj_at \'mj check\'' -l cw -x -d 'Weight of --cref, 0-100'
complete -c mj -n '__mj_at \'mj check\'' -l oref -x -d 'Omni reference'
complete -c mj -n '__mj_at \'mj check\'' -l ow -x -d 'Weight of --oref, 1-1000'
complete -c mj -n '__mj_at \'mj check\'' -l exp -x -d 'Experimental aesthetics, 0-100'
complete -c mj -n '__mj_at \'mj check\'' -l p -x -d 'Personalisation code (repeatable)'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --tile' -l tile -d 'A pattern that repeats without a seam'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --draft' -l draft -d 'Draft mode'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --video' -l video -d 'Keep a video of the picture being made'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --fast' -l fast -d 'Fast mode, said in the prompt'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --relax' -l relax -d 'Relax mode, said in the prompt'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --turbo' -l turbo -d 'Turbo mode, said in the prompt'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --stealth' -l stealth -d 'Keep the picture off the public gallery'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --public' -l public -d 'Show the picture in the public gallery'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj check\'' -n '__mj_at \'mj check\' -h --help' -s h -l help -d 'Show this help'

# mj describe-task
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --wait' -l wait -d 'Wait until each task has ended'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --timeout' -l timeout -x -d 'With --wait: give up after so long (default 900)'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj describe-task\'' -n '__mj_at \'mj describe-task\' -h --help' -s h -l help -d 'Show this help'

# mj history
complete -c mj -n '__mj_argument \'mj history\' 0' -a show -d 'Tell all that the ledger has of a job'
complete -c mj -n '__mj_at \'mj history\'' -l state -x -a 'submitting running unknown done failed unfinished' -d 'Only jobs in this state; unfinished is all that mj resume takes up (repeatable)'
complete -c mj -n '__mj_at \'mj history\'' -l kind -x -d 'Only jobs of this kind: imagine, action, … (repeatable)'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --search' -l search -x -d 'Only jobs with this in their prompt, action or error message'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --since' -l since -x -d 'Only jobs asked for since then: 30m, 2h, 3d, 1w, 2026-11-01, …'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --before' -l before -x -d 'Only jobs asked for before then'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' -n --limit' -s n -l limit -x -d 'At most so many, the newest'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --all' -l all -d 'All of them, on a terminal too, where 20 are the default'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj history\'' -n '__mj_at \'mj history\' -h --help' -s h -l help -d 'Show this help'

# mj history show
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj history show\'' -n '__mj_at \'mj history show\' -h --help' -s h -l help -d 'Show this help'

# mj resume
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --resubmit' -l resubmit -d 'Ask, then send again what stays unknown; it may cost a second time'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' -y --yes' -s y -l yes -d 'Agree beforehand to what would be asked'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --give-up' -l give-up -d 'Look for the named jobs no more'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --task' -l task -x -d 'Say which task the one named job is, when several may be it'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --no-wait' -l no-wait -d 'Look once; do not wait for what still runs'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --timeout' -l timeout -x -d 'Give up waiting for a job after so long (default 900)'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --retries' -l retries -x -d 'Send again at most so often what was certainly not accepted'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj resume\'' -n '__mj_at \'mj resume\' -h --help' -s h -l help -d 'Show this help'

# mj download
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj download\'' -n '__mj_at \'mj download\' -h --help' -s h -l help -d 'Show this help'

# mj open
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' -p --print' -s p -l print -d 'Only tell where it is; show nothing'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj open\'' -n '__mj_at \'mj open\' -h --help' -s h -l help -d 'Show this help'

# mj listen
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --host' -l host -x -d 'Receive callbacks at this address'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --port' -l port -x -d 'Receive callbacks on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --public-url' -l public-url -x -d 'The address under which a tunnel or proxy makes that known to the service'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --once' -l once -x -d 'End when this task has ended'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --until-idle' -l until-idle -d 'End when something has come, all jobs sent with the address have ended, and nothing more comes'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --timeout' -l timeout -x -d 'Give up after so long'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --all' -l all -d 'Also take callbacks for tasks that the ledger does not know'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --trust' -l trust -d 'Believe what a callback says; do not ask the service whether it is so'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --exec' -l exec -x -d 'Run this for each event, which it reads as JSON; MJ_EVENT is progress, success or failure'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' -d --download --no-download' -s d -l download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' -d --download --no-download' -l no-download -d 'Save the pictures; --output implies it'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' -o --output' -s o -l output -x -d 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --split' -l split -d 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --force' -l force -d 'Replace files that are there already'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj listen\'' -n '__mj_at \'mj listen\' -h --help' -s h -l help -d 'Show this help'

# mj auth
complete -c mj -n '__mj_argument \'mj auth\' 0' -a login -d 'Save the token of a profile'
complete -c mj -n '__mj_argument \'mj auth\' 0' -a status -d 'Say which profile is in use and where its token comes from'
complete -c mj -n '__mj_argument \'mj auth\' 0' -a logout -d 'Remove the token of a profile'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj auth\'' -n '__mj_at \'mj auth\' -h --help' -s h -l help -d 'Show this help'

# mj auth login
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --base-url' -l base-url -x -d 'Also keep this address of the API'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --token-in' -l token-in -x -a 'header query' -d 'Also keep where requests carry the token'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --files' -l files -d 'Save the token of the file endpoint, for uploads alone'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj auth login\'' -n '__mj_at \'mj auth login\' -h --help' -s h -l help -d 'Show this help'

# mj auth status
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj auth status\'' -n '__mj_at \'mj auth status\' -h --help' -s h -l help -d 'Show this help'

# mj auth logout
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' --files' -l files -d 'Remove the token of the file endpoint, and no other'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj auth logout\'' -n '__mj_at \'mj auth logout\' -h --help' -s h -l help -d 'Show this help'

# mj config
complete -c mj -n '__mj_argument \'mj config\' 0' -a path -d 'Print the path of the config file, whether it exists or not'
complete -c mj -n '__mj_argument \'mj config\' 0' -a list -d 'Print every setting, its value and where the value comes from'
complete -c mj -n '__mj_argument \'mj config\' 0' -a get -d 'Print the value of one setting, as it applies here and now'
complete -c mj -n '__mj_argument \'mj config\' 0' -a set -d 'Change one setting in the config file'
complete -c mj -n '__mj_argument \'mj config\' 0' -a unset -d 'Remove one setting from the config file'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj config\'' -n '__mj_at \'mj config\' -h --help' -s h -l help -d 'Show this help'

# mj config path
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj config path\'' -n '__mj_at \'mj config path\' -h --help' -s h -l help -d 'Show this help'

# mj config list
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj config list\'' -n '__mj_at \'mj config list\' -h --help' -s h -l help -d 'Show this help'

# mj config get
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj config get\'' -n '__mj_at \'mj config get\' -h --help' -s h -l help -d 'Show this help'

# mj config set
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj config set\'' -n '__mj_at \'mj config set\' -h --help' -s h -l help -d 'Show this help'

# mj config unset
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj config unset\'' -n '__mj_at \'mj config unset\' -h --help' -s h -l help -d 'Show this help'

# mj sandbox
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --port' -l port -x -d 'Listen on this port; 0 takes a free one'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --seconds' -l seconds -x -d 'How long a job takes'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --failure-rate' -l failure-rate -x -d 'Share of jobs that fail'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --error-rate' -l error-rate -x -d 'Share of requests answered with a 500 error'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --cut-rate' -l cut-rate -x -d 'Share of streams cut off in the middle'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --rate-limit' -l rate-limit -x -d 'Jobs accepted in a minute; more are answered 429'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --require-token' -l require-token -x -d 'Accept this made-up token only (the default accepts any)'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --random-seed' -l random-seed -x -d 'Make the faults repeatable'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj sandbox\'' -n '__mj_at \'mj sandbox\' -h --help' -s h -l help -d 'Show this help'

# mj completion
complete -c mj -n '__mj_argument \'mj completion\' 0' -a 'bash zsh fish powershell' -d 'SHELL'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' --json' -l json -d 'Answer in JSON Lines, one object for each thing asked'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' --field' -l field -x -d 'Print only this field of the JSON, as jq -r prints it'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' -q --quiet' -s q -l quiet -d 'Print the saved files, else the link, else the task id; no notices'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' -v --verbose' -s v -l verbose -d 'Say more on standard error, with tracebacks'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' --profile' -l profile -x -d 'Use this profile of the config file'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' --sandbox' -l sandbox -d 'Use the embedded stand-in of the service: no account, nothing paid'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' --no-color' -l no-color -d 'Do not colour the output'
complete -c mj -n '__mj_at \'mj completion\'' -n '__mj_at \'mj completion\' -h --help' -s h -l help -d 'Show this help'
