# PowerShell completion for mj
#
# Everything there is to complete stands in this file: completing starts no process.

Register-ArgumentCompleter -Native -CommandName 'mj' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What may follow each command: commands, options, and the values that options and arguments offer.
    $commands = @{
        '' = @{
            Last = -1
            Commands = [ordered]@{
                'imagine' = 'Make pictures from words'
                'action' = 'Upscale, vary, zoom, pan or reroll an earlier image'
                'blend' = 'Blend two to five images, with optional words'
                'edit' = 'Change a picture by words'
                'describe' = 'Describe a picture in words, in four ways'
                'video' = 'Make four short videos that begin with a picture'
                'extend-video' = 'Make one of four videos longer'
                'shorten' = 'Shorten a prompt to what counts, in up to five ways'
                'translate' = 'Translate text into English'
                'seed' = 'Tell the seed of an image'
                'check' = 'Check a prompt and show it as it would be sent, with the origin of each part'
                'describe-task' = 'Tell what became of tasks: state, times, request and result'
                'history' = 'List the jobs of the profile in use, newest first'
                'resume' = 'Take up unfinished jobs: follow them to their end and save the files that were asked for'
                'download' = 'Save the pictures of earlier jobs'
                'open' = 'Show the picture of a job: the saved file, else its link'
                'listen' = 'Receive callbacks and tell each one as an event; the ledger learns of it, too'
                'auth' = 'Log in, log out, and see whose token is in use'
                'config' = 'Show and change the settings'
                'sandbox' = 'Serve the embedded stand-in of the service on this machine'
                'completion' = 'Print the script that completes mj''s commands, options and values in a shell'
            }
            Options = @(
                @{ Flags = @('--version'); Repeatable = $false; Help = 'Print the version' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'imagine' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--image'); Repeatable = $true; Help = 'Put this image in front: a link, a file, @last, an id, - for standard input (up to five times)' }
                @{ Flags = @('--translation', '--no-translation'); Repeatable = $false; Help = 'Have the service translate the prompt into English' }
                @{ Flags = @('--style-reference', '--no-style-reference'); Repeatable = $false; Help = 'Say that the prompt uses style references (dearer)' }
                @{ Flags = @('--moodboard', '--no-moodboard'); Repeatable = $false; Help = 'Say that the prompt uses a moodboard (dearer)' }
                @{ Flags = @('--mode'); Repeatable = $false; Help = 'How fast, and how dear, the job is' }
                @{ Flags = @('--split-images', '--no-split-images'); Repeatable = $false; Help = 'Have the four pictures of a grid one by one, too' }
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--stream', '--no-stream'); Repeatable = $false; Help = 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Answer the task id at once' }
                @{ Flags = @('--callback-url'); Repeatable = $false; Help = 'Have the service send the result there; answer the task id at once' }
                @{ Flags = @('--listen'); Repeatable = $false; Help = 'Wait by a callback, received here, where the service can reach this machine' }
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--preset'); Repeatable = $true; Help = 'Put this preset of the config file behind the words (repeatable; later ones win)' }
                @{ Flags = @('--permute'); Repeatable = $false; Help = 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it' }
                @{ Flags = @('-y', '--yes'); Repeatable = $false; Help = 'Agree beforehand to as many jobs as --permute makes' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--version', '--v'); Repeatable = $true; Help = 'Model version' }
                @{ Flags = @('--niji'); Repeatable = $true; Help = 'Model version for anime' }
                @{ Flags = @('--aspect', '--ar'); Repeatable = $true; Help = 'Proportions, width to height' }
                @{ Flags = @('--quality', '--q'); Repeatable = $true; Help = 'Time spent on details' }
                @{ Flags = @('--hd'); Repeatable = $false; Help = 'High definition (version 8 on)' }
                @{ Flags = @('--sd'); Repeatable = $false; Help = 'Standard definition (version 8 on)' }
                @{ Flags = @('--stylize', '--s'); Repeatable = $true; Help = 'How strongly Midjourney''s taste shows, 0-1000' }
                @{ Flags = @('--chaos', '--c'); Repeatable = $true; Help = 'How much the four pictures differ, 0-100' }
                @{ Flags = @('--weird', '--w'); Repeatable = $true; Help = 'How strange, 0-3000' }
                @{ Flags = @('--seed'); Repeatable = $true; Help = 'Start from this noise, 0-4294967295' }
                @{ Flags = @('--stop'); Repeatable = $true; Help = 'End early, at this percentage, 10-100' }
                @{ Flags = @('--repeat', '--r'); Repeatable = $true; Help = 'Make the job this many times, 1-40; each one is paid' }
                @{ Flags = @('--no'); Repeatable = $true; Help = 'What shall not be seen, with commas' }
                @{ Flags = @('--style'); Repeatable = $true; Help = 'Less of Midjourney''s taste; all but raw with --niji' }
                @{ Flags = @('--raw'); Repeatable = $false; Help = 'The same as --style raw' }
                @{ Flags = @('--iw'); Repeatable = $true; Help = 'Weight of the image prompts, 0-3' }
                @{ Flags = @('--sref'); Repeatable = $true; Help = 'Style reference: link, code or random (repeatable)' }
                @{ Flags = @('--sw'); Repeatable = $true; Help = 'Weight of --sref, 0-1000' }
                @{ Flags = @('--sv'); Repeatable = $true; Help = 'Version of the style reference, 1-8' }
                @{ Flags = @('--cref'); Repeatable = $true; Help = 'Character reference (repeatable)' }
                @{ Flags = @('--cw'); Repeatable = $true; Help = 'Weight of --cref, 0-100' }
                @{ Flags = @('--oref'); Repeatable = $true; Help = 'Omni reference' }
                @{ Flags = @('--ow'); Repeatable = $true; Help = 'Weight of --oref, 1-1000' }
                @{ Flags = @('--exp'); Repeatable = $true; Help = 'Experimental aesthetics, 0-100' }
                @{ Flags = @('--p'); Repeatable = $true; Help = 'Personalisation code (repeatable)' }
                @{ Flags = @('--tile'); Repeatable = $false; Help = 'A pattern that repeats without a seam' }
                @{ Flags = @('--draft'); Repeatable = $false; Help = 'Draft mode' }
                @{ Flags = @('--video'); Repeatable = $false; Help = 'Keep a video of the picture being made' }
                @{ Flags = @('--fast'); Repeatable = $false; Help = 'Fast mode, said in the prompt' }
                @{ Flags = @('--relax'); Repeatable = $false; Help = 'Relax mode, said in the prompt' }
                @{ Flags = @('--turbo'); Repeatable = $false; Help = 'Turbo mode, said in the prompt' }
                @{ Flags = @('--stealth'); Repeatable = $false; Help = 'Keep the picture off the public gallery' }
                @{ Flags = @('--public'); Repeatable = $false; Help = 'Show the picture in the public gallery' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--image', '--mode', '--retries', '--timeout', '--callback-url', '--host', '--port', '--public-url', '-o', '--output', '--preset', '--version', '--v', '--niji', '--aspect', '--ar', '--quality', '--q', '--stylize', '--s', '--chaos', '--c', '--weird', '--w', '--seed', '--stop', '--repeat', '--r', '--no', '--style', '--iw', '--sref', '--sw', '--sv', '--cref', '--cw', '--oref', '--ow', '--exp', '--p', '--field', '--profile')
            Offers = @{
                '--mode' = @('fast', 'relax', 'turbo')
                '--version' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--v' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--niji' = @('4', '5', '6', '7')
                '--quality' = @('.25', '.5', '1', '2', '4')
                '--q' = @('.25', '.5', '1', '2', '4')
                '--style' = @('raw', 'cute', 'scenic', 'expressive', 'original')
                '--sref' = @('random')
            }
        }
        'action' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--prompt'); Repeatable = $false; Help = 'For variation_region: what to draw there' }
                @{ Flags = @('--mask'); Repeatable = $false; Help = 'A grey picture, white where to redraw: PNG, JPEG or WebP' }
                @{ Flags = @('--region'); Repeatable = $true; Help = 'Redraw this rectangle, in pixels or percent from the top left corner (repeatable)' }
                @{ Flags = @('--mode'); Repeatable = $false; Help = 'How fast, and how dear, the job is' }
                @{ Flags = @('--split-images', '--no-split-images'); Repeatable = $false; Help = 'Have the four pictures of a grid one by one, too' }
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--stream', '--no-stream'); Repeatable = $false; Help = 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Answer the task id at once' }
                @{ Flags = @('--callback-url'); Repeatable = $false; Help = 'Have the service send the result there; answer the task id at once' }
                @{ Flags = @('--listen'); Repeatable = $false; Help = 'Wait by a callback, received here, where the service can reach this machine' }
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--prompt', '--mask', '--region', '--mode', '--retries', '--timeout', '--callback-url', '--host', '--port', '--public-url', '-o', '--output', '--field', '--profile')
            Offers = @{
                '--mode' = @('fast', 'relax', 'turbo')
                '0' = @('upscale1', 'upscale2', 'upscale3', 'upscale4', 'variation1', 'variation2', 'variation3', 'variation4', 'reroll', 'upscale_2x', 'upscale_4x', 'upscale_subtle', 'upscale_creative', 'redo_upscale_2x', 'redo_upscale_4x', 'redo_upscale_subtle', 'redo_upscale_creative', 'variation_subtle', 'variation_strong', 'variation_region', 'zoom_out_2x', 'zoom_out_1_5x', 'pan_left', 'pan_right', 'pan_up', 'pan_down', 'square')
            }
        }
        'blend' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--translation', '--no-translation'); Repeatable = $false; Help = 'Have the service translate the prompt into English' }
                @{ Flags = @('--mode'); Repeatable = $false; Help = 'How fast, and how dear, the job is' }
                @{ Flags = @('--split-images', '--no-split-images'); Repeatable = $false; Help = 'Have the four pictures of a grid one by one, too' }
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--stream', '--no-stream'); Repeatable = $false; Help = 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Answer the task id at once' }
                @{ Flags = @('--callback-url'); Repeatable = $false; Help = 'Have the service send the result there; answer the task id at once' }
                @{ Flags = @('--listen'); Repeatable = $false; Help = 'Wait by a callback, received here, where the service can reach this machine' }
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--preset'); Repeatable = $true; Help = 'Put this preset of the config file behind the words (repeatable; later ones win)' }
                @{ Flags = @('--permute'); Repeatable = $false; Help = 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it' }
                @{ Flags = @('-y', '--yes'); Repeatable = $false; Help = 'Agree beforehand to as many jobs as --permute makes' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--version', '--v'); Repeatable = $true; Help = 'Model version' }
                @{ Flags = @('--niji'); Repeatable = $true; Help = 'Model version for anime' }
                @{ Flags = @('--aspect', '--ar'); Repeatable = $true; Help = 'Proportions, width to height' }
                @{ Flags = @('--quality', '--q'); Repeatable = $true; Help = 'Time spent on details' }
                @{ Flags = @('--hd'); Repeatable = $false; Help = 'High definition (version 8 on)' }
                @{ Flags = @('--sd'); Repeatable = $false; Help = 'Standard definition (version 8 on)' }
                @{ Flags = @('--stylize', '--s'); Repeatable = $true; Help = 'How strongly Midjourney''s taste shows, 0-1000' }
                @{ Flags = @('--chaos', '--c'); Repeatable = $true; Help = 'How much the four pictures differ, 0-100' }
                @{ Flags = @('--weird', '--w'); Repeatable = $true; Help = 'How strange, 0-3000' }
                @{ Flags = @('--seed'); Repeatable = $true; Help = 'Start from this noise, 0-4294967295' }
                @{ Flags = @('--stop'); Repeatable = $true; Help = 'End early, at this percentage, 10-100' }
                @{ Flags = @('--repeat', '--r'); Repeatable = $true; Help = 'Make the job this many times, 1-40; each one is paid' }
                @{ Flags = @('--no'); Repeatable = $true; Help = 'What shall not be seen, with commas' }
                @{ Flags = @('--style'); Repeatable = $true; Help = 'Less of Midjourney''s taste; all but raw with --niji' }
                @{ Flags = @('--raw'); Repeatable = $false; Help = 'The same as --style raw' }
                @{ Flags = @('--iw'); Repeatable = $true; Help = 'Weight of the image prompts, 0-3' }
                @{ Flags = @('--sref'); Repeatable = $true; Help = 'Style reference: link, code or random (repeatable)' }
                @{ Flags = @('--sw'); Repeatable = $true; Help = 'Weight of --sref, 0-1000' }
                @{ Flags = @('--sv'); Repeatable = $true; Help = 'Version of the style reference, 1-8' }
                @{ Flags = @('--cref'); Repeatable = $true; Help = 'Character reference (repeatable)' }
                @{ Flags = @('--cw'); Repeatable = $true; Help = 'Weight of --cref, 0-100' }
                @{ Flags = @('--oref'); Repeatable = $true; Help = 'Omni reference' }
                @{ Flags = @('--ow'); Repeatable = $true; Help = 'Weight of --oref, 1-1000' }
                @{ Flags = @('--exp'); Repeatable = $true; Help = 'Experimental aesthetics, 0-100' }
                @{ Flags = @('--p'); Repeatable = $true; Help = 'Personalisation code (repeatable)' }
                @{ Flags = @('--tile'); Repeatable = $false; Help = 'A pattern that repeats without a seam' }
                @{ Flags = @('--draft'); Repeatable = $false; Help = 'Draft mode' }
                @{ Flags = @('--video'); Repeatable = $false; Help = 'Keep a video of the picture being made' }
                @{ Flags = @('--fast'); Repeatable = $false; Help = 'Fast mode, said in the prompt' }
                @{ Flags = @('--relax'); Repeatable = $false; Help = 'Relax mode, said in the prompt' }
                @{ Flags = @('--turbo'); Repeatable = $false; Help = 'Turbo mode, said in the prompt' }
                @{ Flags = @('--stealth'); Repeatable = $false; Help = 'Keep the picture off the public gallery' }
                @{ Flags = @('--public'); Repeatable = $false; Help = 'Show the picture in the public gallery' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--mode', '--retries', '--timeout', '--callback-url', '--host', '--port', '--public-url', '-o', '--output', '--preset', '--version', '--v', '--niji', '--aspect', '--ar', '--quality', '--q', '--stylize', '--s', '--chaos', '--c', '--weird', '--w', '--seed', '--stop', '--repeat', '--r', '--no', '--style', '--iw', '--sref', '--sw', '--sv', '--cref', '--cw', '--oref', '--ow', '--exp', '--p', '--field', '--profile')
            Offers = @{
                '--mode' = @('fast', 'relax', 'turbo')
                '--version' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--v' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--niji' = @('4', '5', '6', '7')
                '--quality' = @('.25', '.5', '1', '2', '4')
                '--q' = @('.25', '.5', '1', '2', '4')
                '--style' = @('raw', 'cute', 'scenic', 'expressive', 'original')
                '--sref' = @('random')
            }
        }
        'edit' = @{
            Last = 1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--mask'); Repeatable = $false; Help = 'A grey picture, white where to redraw: PNG, JPEG or WebP' }
                @{ Flags = @('--region'); Repeatable = $true; Help = 'Redraw this rectangle, in pixels or percent from the top left corner (repeatable)' }
                @{ Flags = @('--mode'); Repeatable = $false; Help = 'How fast, and how dear, the job is' }
                @{ Flags = @('--split-images', '--no-split-images'); Repeatable = $false; Help = 'Have the four pictures of a grid one by one, too' }
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--stream', '--no-stream'); Repeatable = $false; Help = 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Answer the task id at once' }
                @{ Flags = @('--callback-url'); Repeatable = $false; Help = 'Have the service send the result there; answer the task id at once' }
                @{ Flags = @('--listen'); Repeatable = $false; Help = 'Wait by a callback, received here, where the service can reach this machine' }
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--preset'); Repeatable = $true; Help = 'Put this preset of the config file behind the words (repeatable; later ones win)' }
                @{ Flags = @('--permute'); Repeatable = $false; Help = 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it' }
                @{ Flags = @('-y', '--yes'); Repeatable = $false; Help = 'Agree beforehand to as many jobs as --permute makes' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--version', '--v'); Repeatable = $true; Help = 'Model version' }
                @{ Flags = @('--niji'); Repeatable = $true; Help = 'Model version for anime' }
                @{ Flags = @('--aspect', '--ar'); Repeatable = $true; Help = 'Proportions, width to height' }
                @{ Flags = @('--quality', '--q'); Repeatable = $true; Help = 'Time spent on details' }
                @{ Flags = @('--hd'); Repeatable = $false; Help = 'High definition (version 8 on)' }
                @{ Flags = @('--sd'); Repeatable = $false; Help = 'Standard definition (version 8 on)' }
                @{ Flags = @('--stylize', '--s'); Repeatable = $true; Help = 'How strongly Midjourney''s taste shows, 0-1000' }
                @{ Flags = @('--chaos', '--c'); Repeatable = $true; Help = 'How much the four pictures differ, 0-100' }
                @{ Flags = @('--weird', '--w'); Repeatable = $true; Help = 'How strange, 0-3000' }
                @{ Flags = @('--seed'); Repeatable = $true; Help = 'Start from this noise, 0-4294967295' }
                @{ Flags = @('--stop'); Repeatable = $true; Help = 'End early, at this percentage, 10-100' }
                @{ Flags = @('--repeat', '--r'); Repeatable = $true; Help = 'Make the job this many times, 1-40; each one is paid' }
                @{ Flags = @('--no'); Repeatable = $true; Help = 'What shall not be seen, with commas' }
                @{ Flags = @('--style'); Repeatable = $true; Help = 'Less of Midjourney''s taste; all but raw with --niji' }
                @{ Flags = @('--raw'); Repeatable = $false; Help = 'The same as --style raw' }
                @{ Flags = @('--iw'); Repeatable = $true; Help = 'Weight of the image prompts, 0-3' }
                @{ Flags = @('--sref'); Repeatable = $true; Help = 'Style reference: link, code or random (repeatable)' }
                @{ Flags = @('--sw'); Repeatable = $true; Help = 'Weight of --sref, 0-1000' }
                @{ Flags = @('--sv'); Repeatable = $true; Help = 'Version of the style reference, 1-8' }
                @{ Flags = @('--cref'); Repeatable = $true; Help = 'Character reference (repeatable)' }
                @{ Flags = @('--cw'); Repeatable = $true; Help = 'Weight of --cref, 0-100' }
                @{ Flags = @('--oref'); Repeatable = $true; Help = 'Omni reference' }
                @{ Flags = @('--ow'); Repeatable = $true; Help = 'Weight of --oref, 1-1000' }
                @{ Flags = @('--exp'); Repeatable = $true; Help = 'Experimental aesthetics, 0-100' }
                @{ Flags = @('--p'); Repeatable = $true; Help = 'Personalisation code (repeatable)' }
                @{ Flags = @('--tile'); Repeatable = $false; Help = 'A pattern that repeats without a seam' }
                @{ Flags = @('--draft'); Repeatable = $false; Help = 'Draft mode' }
                @{ Flags = @('--video'); Repeatable = $false; Help = 'Keep a video of the picture being made' }
                @{ Flags = @('--fast'); Repeatable = $false; Help = 'Fast mode, said in the prompt' }
                @{ Flags = @('--relax'); Repeatable = $false; Help = 'Relax mode, said in the prompt' }
                @{ Flags = @('--turbo'); Repeatable = $false; Help = 'Turbo mode, said in the prompt' }
                @{ Flags = @('--stealth'); Repeatable = $false; Help = 'Keep the picture off the public gallery' }
                @{ Flags = @('--public'); Repeatable = $false; Help = 'Show the picture in the public gallery' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--mask', '--region', '--mode', '--retries', '--timeout', '--callback-url', '--host', '--port', '--public-url', '-o', '--output', '--preset', '--version', '--v', '--niji', '--aspect', '--ar', '--quality', '--q', '--stylize', '--s', '--chaos', '--c', '--weird', '--w', '--seed', '--stop', '--repeat', '--r', '--no', '--style', '--iw', '--sref', '--sw', '--sv', '--cref', '--cw', '--oref', '--ow', '--exp', '--p', '--field', '--profile')
            Offers = @{
                '--mode' = @('fast', 'relax', 'turbo')
                '--version' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--v' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--niji' = @('4', '5', '6', '7')
                '--quality' = @('.25', '.5', '1', '2', '4')
                '--q' = @('.25', '.5', '1', '2', '4')
                '--style' = @('raw', 'cute', 'scenic', 'expressive', 'original')
                '--sref' = @('random')
            }
        }
        'describe' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--use'); Repeatable = $false; Help = 'Make a picture from the Nth description, as mj imagine does' }
                @{ Flags = @('--mode'); Repeatable = $false; Help = 'How fast, and how dear, the job is' }
                @{ Flags = @('--split-images', '--no-split-images'); Repeatable = $false; Help = 'Have the four pictures of a grid one by one, too' }
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--stream', '--no-stream'); Repeatable = $false; Help = 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Answer the task id at once' }
                @{ Flags = @('--callback-url'); Repeatable = $false; Help = 'Have the service send the result there; answer the task id at once' }
                @{ Flags = @('--listen'); Repeatable = $false; Help = 'Wait by a callback, received here, where the service can reach this machine' }
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--preset'); Repeatable = $true; Help = 'Put this preset of the config file behind the words (repeatable; later ones win)' }
                @{ Flags = @('--permute'); Repeatable = $false; Help = 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it' }
                @{ Flags = @('-y', '--yes'); Repeatable = $false; Help = 'Agree beforehand to as many jobs as --permute makes' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--version', '--v'); Repeatable = $true; Help = 'Model version' }
                @{ Flags = @('--niji'); Repeatable = $true; Help = 'Model version for anime' }
                @{ Flags = @('--aspect', '--ar'); Repeatable = $true; Help = 'Proportions, width to height' }
                @{ Flags = @('--quality', '--q'); Repeatable = $true; Help = 'Time spent on details' }
                @{ Flags = @('--hd'); Repeatable = $false; Help = 'High definition (version 8 on)' }
                @{ Flags = @('--sd'); Repeatable = $false; Help = 'Standard definition (version 8 on)' }
                @{ Flags = @('--stylize', '--s'); Repeatable = $true; Help = 'How strongly Midjourney''s taste shows, 0-1000' }
                @{ Flags = @('--chaos', '--c'); Repeatable = $true; Help = 'How much the four pictures differ, 0-100' }
                @{ Flags = @('--weird', '--w'); Repeatable = $true; Help = 'How strange, 0-3000' }
                @{ Flags = @('--seed'); Repeatable = $true; Help = 'Start from this noise, 0-4294967295' }
                @{ Flags = @('--stop'); Repeatable = $true; Help = 'End early, at this percentage, 10-100' }
                @{ Flags = @('--repeat', '--r'); Repeatable = $true; Help = 'Make the job this many times, 1-40; each one is paid' }
                @{ Flags = @('--no'); Repeatable = $true; Help = 'What shall not be seen, with commas' }
                @{ Flags = @('--style'); Repeatable = $true; Help = 'Less of Midjourney''s taste; all but raw with --niji' }
                @{ Flags = @('--raw'); Repeatable = $false; Help = 'The same as --style raw' }
                @{ Flags = @('--iw'); Repeatable = $true; Help = 'Weight of the image prompts, 0-3' }
                @{ Flags = @('--sref'); Repeatable = $true; Help = 'Style reference: link, code or random (repeatable)' }
                @{ Flags = @('--sw'); Repeatable = $true; Help = 'Weight of --sref, 0-1000' }
                @{ Flags = @('--sv'); Repeatable = $true; Help = 'Version of the style reference, 1-8' }
                @{ Flags = @('--cref'); Repeatable = $true; Help = 'Character reference (repeatable)' }
                @{ Flags = @('--cw'); Repeatable = $true; Help = 'Weight of --cref, 0-100' }
                @{ Flags = @('--oref'); Repeatable = $true; Help = 'Omni reference' }
                @{ Flags = @('--ow'); Repeatable = $true; Help = 'Weight of --oref, 1-1000' }
                @{ Flags = @('--exp'); Repeatable = $true; Help = 'Experimental aesthetics, 0-100' }
                @{ Flags = @('--p'); Repeatable = $true; Help = 'Personalisation code (repeatable)' }
                @{ Flags = @('--tile'); Repeatable = $false; Help = 'A pattern that repeats without a seam' }
                @{ Flags = @('--draft'); Repeatable = $false; Help = 'Draft mode' }
                @{ Flags = @('--video'); Repeatable = $false; Help = 'Keep a video of the picture being made' }
                @{ Flags = @('--fast'); Repeatable = $false; Help = 'Fast mode, said in the prompt' }
                @{ Flags = @('--relax'); Repeatable = $false; Help = 'Relax mode, said in the prompt' }
                @{ Flags = @('--turbo'); Repeatable = $false; Help = 'Turbo mode, said in the prompt' }
                @{ Flags = @('--stealth'); Repeatable = $false; Help = 'Keep the picture off the public gallery' }
                @{ Flags = @('--public'); Repeatable = $false; Help = 'Show the picture in the public gallery' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--use', '--mode', '--retries', '--timeout', '--callback-url', '--host', '--port', '--public-url', '-o', '--output', '--preset', '--version', '--v', '--niji', '--aspect', '--ar', '--quality', '--q', '--stylize', '--s', '--chaos', '--c', '--weird', '--w', '--seed', '--stop', '--repeat', '--r', '--no', '--style', '--iw', '--sref', '--sw', '--sv', '--cref', '--cw', '--oref', '--ow', '--exp', '--p', '--field', '--profile')
            Offers = @{
                '--mode' = @('fast', 'relax', 'turbo')
                '--version' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--v' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--niji' = @('4', '5', '6', '7')
                '--quality' = @('.25', '.5', '1', '2', '4')
                '--q' = @('.25', '.5', '1', '2', '4')
                '--style' = @('raw', 'cute', 'scenic', 'expressive', 'original')
                '--sref' = @('random')
            }
        }
        'video' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--image'); Repeatable = $false; Help = 'The picture that it begins with: a link, a file, @last, an id, - for standard input' }
                @{ Flags = @('--mode'); Repeatable = $false; Help = 'How fast, and how dear, the job is' }
                @{ Flags = @('--end-image'); Repeatable = $false; Help = 'The picture that the video ends with' }
                @{ Flags = @('--resolution'); Repeatable = $false; Help = 'Height of the video in lines' }
                @{ Flags = @('--loop', '--no-loop'); Repeatable = $false; Help = 'Make the end run into the beginning' }
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--stream', '--no-stream'); Repeatable = $false; Help = 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Answer the task id at once' }
                @{ Flags = @('--callback-url'); Repeatable = $false; Help = 'Have the service send the result there; answer the task id at once' }
                @{ Flags = @('--listen'); Repeatable = $false; Help = 'Wait by a callback, received here, where the service can reach this machine' }
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--image', '--mode', '--end-image', '--resolution', '--retries', '--timeout', '--callback-url', '--host', '--port', '--public-url', '-o', '--output', '--field', '--profile')
            Offers = @{
                '--mode' = @('fast', 'turbo')
                '--resolution' = @('480p', '720p')
            }
        }
        'extend-video' = @{
            Last = 1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--index'); Repeatable = $false; Help = 'Which of the four videos; 0 is the first' }
                @{ Flags = @('--mode'); Repeatable = $false; Help = 'How fast, and how dear, the job is' }
                @{ Flags = @('--end-image'); Repeatable = $false; Help = 'The picture that the video ends with' }
                @{ Flags = @('--resolution'); Repeatable = $false; Help = 'Height of the video in lines' }
                @{ Flags = @('--loop', '--no-loop'); Repeatable = $false; Help = 'Make the end run into the beginning' }
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--stream', '--no-stream'); Repeatable = $false; Help = 'Wait by the stream (default; said aloud, --json prints every event) or by one plain answer' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Answer the task id at once' }
                @{ Flags = @('--callback-url'); Repeatable = $false; Help = 'Have the service send the result there; answer the task id at once' }
                @{ Flags = @('--listen'); Repeatable = $false; Help = 'Wait by a callback, received here, where the service can reach this machine' }
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--index', '--mode', '--end-image', '--resolution', '--retries', '--timeout', '--callback-url', '--host', '--port', '--public-url', '-o', '--output', '--field', '--profile')
            Offers = @{
                '--mode' = @('fast', 'turbo')
                '--resolution' = @('480p', '720p')
            }
        }
        'shorten' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--retries', '--timeout', '--field', '--profile')
            Offers = @{
            }
        }
        'translate' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--retries', '--timeout', '--field', '--profile')
            Offers = @{
            }
        }
        'seed' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--dry-run'); Repeatable = $false; Help = 'Print the request as a curl command; send nothing' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('--no-ledger'); Repeatable = $false; Help = 'Keep no record of the job (it cannot be found again by mj)' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting after so long (default 900); also sent as the job''s own time-out' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--retries', '--timeout', '--field', '--profile')
            Offers = @{
            }
        }
        'check' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--image'); Repeatable = $true; Help = 'Put this image in front: a link, a file, @last, an id, - for standard input (up to five times)' }
                @{ Flags = @('--preset'); Repeatable = $true; Help = 'Put this preset of the config file behind the words (repeatable; later ones win)' }
                @{ Flags = @('--permute'); Repeatable = $false; Help = 'Make a job of each choice from {braces}; a backslash before a brace or comma keeps it' }
                @{ Flags = @('-y', '--yes'); Repeatable = $false; Help = 'Agree beforehand to as many jobs as --permute makes' }
                @{ Flags = @('--strict'); Repeatable = $false; Help = 'Refuse what is only doubtful, too' }
                @{ Flags = @('--no-check'); Repeatable = $false; Help = 'Send the prompt as it is; look at neither it nor its images' }
                @{ Flags = @('--version', '--v'); Repeatable = $true; Help = 'Model version' }
                @{ Flags = @('--niji'); Repeatable = $true; Help = 'Model version for anime' }
                @{ Flags = @('--aspect', '--ar'); Repeatable = $true; Help = 'Proportions, width to height' }
                @{ Flags = @('--quality', '--q'); Repeatable = $true; Help = 'Time spent on details' }
                @{ Flags = @('--hd'); Repeatable = $false; Help = 'High definition (version 8 on)' }
                @{ Flags = @('--sd'); Repeatable = $false; Help = 'Standard definition (version 8 on)' }
                @{ Flags = @('--stylize', '--s'); Repeatable = $true; Help = 'How strongly Midjourney''s taste shows, 0-1000' }
                @{ Flags = @('--chaos', '--c'); Repeatable = $true; Help = 'How much the four pictures differ, 0-100' }
                @{ Flags = @('--weird', '--w'); Repeatable = $true; Help = 'How strange, 0-3000' }
                @{ Flags = @('--seed'); Repeatable = $true; Help = 'Start from this noise, 0-4294967295' }
                @{ Flags = @('--stop'); Repeatable = $true; Help = 'End early, at this percentage, 10-100' }
                @{ Flags = @('--repeat', '--r'); Repeatable = $true; Help = 'Make the job this many times, 1-40; each one is paid' }
                @{ Flags = @('--no'); Repeatable = $true; Help = 'What shall not be seen, with commas' }
                @{ Flags = @('--style'); Repeatable = $true; Help = 'Less of Midjourney''s taste; all but raw with --niji' }
                @{ Flags = @('--raw'); Repeatable = $false; Help = 'The same as --style raw' }
                @{ Flags = @('--iw'); Repeatable = $true; Help = 'Weight of the image prompts, 0-3' }
                @{ Flags = @('--sref'); Repeatable = $true; Help = 'Style reference: link, code or random (repeatable)' }
                @{ Flags = @('--sw'); Repeatable = $true; Help = 'Weight of --sref, 0-1000' }
                @{ Flags = @('--sv'); Repeatable = $true; Help = 'Version of the style reference, 1-8' }
                @{ Flags = @('--cref'); Repeatable = $true; Help = 'Character reference (repeatable)' }
                @{ Flags = @('--cw'); Repeatable = $true; Help = 'Weight of --cref, 0-100' }
                @{ Flags = @('--oref'); Repeatable = $true; Help = 'Omni reference' }
                @{ Flags = @('--ow'); Repeatable = $true; Help = 'Weight of --oref, 1-1000' }
                @{ Flags = @('--exp'); Repeatable = $true; Help = 'Experimental aesthetics, 0-100' }
                @{ Flags = @('--p'); Repeatable = $true; Help = 'Personalisation code (repeatable)' }
                @{ Flags = @('--tile'); Repeatable = $false; Help = 'A pattern that repeats without a seam' }
                @{ Flags = @('--draft'); Repeatable = $false; Help = 'Draft mode' }
                @{ Flags = @('--video'); Repeatable = $false; Help = 'Keep a video of the picture being made' }
                @{ Flags = @('--fast'); Repeatable = $false; Help = 'Fast mode, said in the prompt' }
                @{ Flags = @('--relax'); Repeatable = $false; Help = 'Relax mode, said in the prompt' }
                @{ Flags = @('--turbo'); Repeatable = $false; Help = 'Turbo mode, said in the prompt' }
                @{ Flags = @('--stealth'); Repeatable = $false; Help = 'Keep the picture off the public gallery' }
                @{ Flags = @('--public'); Repeatable = $false; Help = 'Show the picture in the public gallery' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--image', '--preset', '--version', '--v', '--niji', '--aspect', '--ar', '--quality', '--q', '--stylize', '--s', '--chaos', '--c', '--weird', '--w', '--seed', '--stop', '--repeat', '--r', '--no', '--style', '--iw', '--sref', '--sw', '--sv', '--cref', '--cw', '--oref', '--ow', '--exp', '--p', '--field', '--profile')
            Offers = @{
                '--version' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--v' = @('5.2', '6', '6.1', '7', '8', '8.1', '8.2')
                '--niji' = @('4', '5', '6', '7')
                '--quality' = @('.25', '.5', '1', '2', '4')
                '--q' = @('.25', '.5', '1', '2', '4')
                '--style' = @('raw', 'cute', 'scenic', 'expressive', 'original')
                '--sref' = @('random')
            }
        }
        'describe-task' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--wait'); Repeatable = $false; Help = 'Wait until each task has ended' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'With --wait: give up after so long (default 900)' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--timeout', '-o', '--output', '--field', '--profile')
            Offers = @{
            }
        }
        'history' = @{
            Last = -1
            Commands = [ordered]@{
                'show' = 'Tell all that the ledger has of a job'
            }
            Options = @(
                @{ Flags = @('--state'); Repeatable = $true; Help = 'Only jobs in this state; unfinished is all that mj resume takes up (repeatable)' }
                @{ Flags = @('--kind'); Repeatable = $true; Help = 'Only jobs of this kind: imagine, action, … (repeatable)' }
                @{ Flags = @('--search'); Repeatable = $false; Help = 'Only jobs with this in their prompt, action or error message' }
                @{ Flags = @('--since'); Repeatable = $false; Help = 'Only jobs asked for since then: 30m, 2h, 3d, 1w, 2026-11-01, …' }
                @{ Flags = @('--before'); Repeatable = $false; Help = 'Only jobs asked for before then' }
                @{ Flags = @('-n', '--limit'); Repeatable = $false; Help = 'At most so many, the newest' }
                @{ Flags = @('--all'); Repeatable = $false; Help = 'All of them, on a terminal too, where 20 are the default' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--state', '--kind', '--search', '--since', '--before', '-n', '--limit', '--field', '--profile')
            Offers = @{
                '--state' = @('submitting', 'running', 'unknown', 'done', 'failed', 'unfinished')
            }
        }
        'history show' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'resume' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--resubmit'); Repeatable = $false; Help = 'Ask, then send again what stays unknown; it may cost a second time' }
                @{ Flags = @('-y', '--yes'); Repeatable = $false; Help = 'Agree beforehand to what would be asked' }
                @{ Flags = @('--give-up'); Repeatable = $false; Help = 'Look for the named jobs no more' }
                @{ Flags = @('--task'); Repeatable = $false; Help = 'Say which task the one named job is, when several may be it' }
                @{ Flags = @('--no-wait'); Repeatable = $false; Help = 'Look once; do not wait for what still runs' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up waiting for a job after so long (default 900)' }
                @{ Flags = @('--retries'); Repeatable = $false; Help = 'Send again at most so often what was certainly not accepted' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--task', '--timeout', '--retries', '-o', '--output', '--field', '--profile')
            Offers = @{
            }
        }
        'download' = @{
            Last = 0
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('-o', '--output', '--field', '--profile')
            Offers = @{
            }
        }
        'open' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('-p', '--print'); Repeatable = $false; Help = 'Only tell where it is; show nothing' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'listen' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--host'); Repeatable = $false; Help = 'Receive callbacks at this address' }
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Receive callbacks on this port; 0 takes a free one' }
                @{ Flags = @('--public-url'); Repeatable = $false; Help = 'The address under which a tunnel or proxy makes that known to the service' }
                @{ Flags = @('--once'); Repeatable = $false; Help = 'End when this task has ended' }
                @{ Flags = @('--until-idle'); Repeatable = $false; Help = 'End when something has come, all jobs sent with the address have ended, and nothing more comes' }
                @{ Flags = @('--timeout'); Repeatable = $false; Help = 'Give up after so long' }
                @{ Flags = @('--all'); Repeatable = $false; Help = 'Also take callbacks for tasks that the ledger does not know' }
                @{ Flags = @('--trust'); Repeatable = $false; Help = 'Believe what a callback says; do not ask the service whether it is so' }
                @{ Flags = @('--exec'); Repeatable = $false; Help = 'Run this for each event, which it reads as JSON; MJ_EVENT is progress, success or failure' }
                @{ Flags = @('-d', '--download', '--no-download'); Repeatable = $false; Help = 'Save the pictures; --output implies it' }
                @{ Flags = @('-o', '--output'); Repeatable = $false; Help = 'Save them in this directory, or under this name, which may hold {prompt}, {image_id}, {task_id}, {action}, {index}, {date}, {ext}' }
                @{ Flags = @('--split'); Repeatable = $false; Help = 'Also cut a downloaded grid into its four pictures, free of charge (needs Pillow); implies --download' }
                @{ Flags = @('--force'); Repeatable = $false; Help = 'Replace files that are there already' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--host', '--port', '--public-url', '--once', '--timeout', '--exec', '-o', '--output', '--field', '--profile')
            Offers = @{
            }
        }
        'auth' = @{
            Last = -1
            Commands = [ordered]@{
                'login' = 'Save the token of a profile'
                'status' = 'Say which profile is in use and where its token comes from'
                'logout' = 'Remove the token of a profile'
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'auth login' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--base-url'); Repeatable = $false; Help = 'Also keep this address of the API' }
                @{ Flags = @('--token-in'); Repeatable = $false; Help = 'Also keep where requests carry the token' }
                @{ Flags = @('--files'); Repeatable = $false; Help = 'Save the token of the file endpoint, for uploads alone' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--base-url', '--token-in', '--field', '--profile')
            Offers = @{
                '--token-in' = @('header', 'query')
            }
        }
        'auth status' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'auth logout' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--files'); Repeatable = $false; Help = 'Remove the token of the file endpoint, and no other' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'config' = @{
            Last = -1
            Commands = [ordered]@{
                'path' = 'Print the path of the config file, whether it exists or not'
                'list' = 'Print every setting, its value and where the value comes from'
                'get' = 'Print the value of one setting, as it applies here and now'
                'set' = 'Change one setting in the config file'
                'unset' = 'Remove one setting from the config file'
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'config path' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'config list' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'config get' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'config set' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'config unset' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
            }
        }
        'sandbox' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--port'); Repeatable = $false; Help = 'Listen on this port; 0 takes a free one' }
                @{ Flags = @('--seconds'); Repeatable = $false; Help = 'How long a job takes' }
                @{ Flags = @('--failure-rate'); Repeatable = $false; Help = 'Share of jobs that fail' }
                @{ Flags = @('--error-rate'); Repeatable = $false; Help = 'Share of requests answered with a 500 error' }
                @{ Flags = @('--cut-rate'); Repeatable = $false; Help = 'Share of streams cut off in the middle' }
                @{ Flags = @('--rate-limit'); Repeatable = $false; Help = 'Jobs accepted in a minute; more are answered 429' }
                @{ Flags = @('--require-token'); Repeatable = $false; Help = 'Accept this made-up token only (the default accepts any)' }
                @{ Flags = @('--random-seed'); Repeatable = $false; Help = 'Make the faults repeatable' }
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--port', '--seconds', '--failure-rate', '--error-rate', '--cut-rate', '--rate-limit', '--require-token', '--random-seed', '--field', '--profile')
            Offers = @{
            }
        }
        'completion' = @{
            Last = -1
            Commands = [ordered]@{
            }
            Options = @(
                @{ Flags = @('--json'); Repeatable = $false; Help = 'Answer in JSON Lines, one object for each thing asked' }
                @{ Flags = @('--field'); Repeatable = $false; Help = 'Print only this field of the JSON, as jq -r prints it' }
                @{ Flags = @('-q', '--quiet'); Repeatable = $false; Help = 'Print the saved files, else the link, else the task id; no notices' }
                @{ Flags = @('-v', '--verbose'); Repeatable = $false; Help = 'Say more on standard error, with tracebacks' }
                @{ Flags = @('--profile'); Repeatable = $false; Help = 'Use this profile of the config file' }
                @{ Flags = @('--sandbox'); Repeatable = $false; Help = 'Use the embedded stand-in of the service: no account, nothing paid' }
                @{ Flags = @('--no-color'); Repeatable = $false; Help = 'Do not colour the output' }
                @{ Flags = @('-h', '--help'); Repeatable = $false; Help = 'Show this help' }
            )
            Valued = @('--field', '--profile')
            Offers = @{
                '0' = @('bash', 'zsh', 'fish', 'powershell')
            }
        }
    }

    $name = ''
    $position = 0
    $wanting = ''
    $ended = $false
    $used = @()
    foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $word = $element.Extent.Text
        $facts = $commands[$name]
        if ($wanting) {
            $wanting = ''
        } elseif ($ended -or -not $word.StartsWith('-') -or $word -ceq '-') {
            if ($facts.Commands.Count -eq 0) {
                $position++
            } elseif ($facts.Commands.Contains($word)) {
                $name = "$name $word".Trim()
            } else {
                return
            }
        } elseif ($word -ceq '--') {
            $ended = $true
        } else {
            $flag = $word.Split('=')[0]
            $used += $flag
            if (-not $word.Contains('=') -and $facts.Valued -ccontains $flag) { $wanting = $flag }
        }
    }

    $facts = $commands[$name]
    $prefix = ''
    $found = [ordered]@{}
    if ($wanting) {
        foreach ($value in $facts.Offers[$wanting]) { $found[$value] = $value }
    } elseif (-not $ended -and $wordToComplete -clike '--*=*') {
        $flag = $wordToComplete.Split('=')[0]
        $prefix = "$flag="
        foreach ($value in $facts.Offers[$flag]) { $found[$value] = $value }
    } elseif (-not $ended -and $wordToComplete.StartsWith('-')) {
        foreach ($option in $facts.Options) {
            $given = $option.Flags | Where-Object { $used -ccontains $_ }
            if ($option.Repeatable -or -not $given) {
                foreach ($flag in $option.Flags) { $found[$flag] = $option.Help }
            }
        }
    } elseif ($facts.Commands.Count -gt 0) {
        $found = $facts.Commands
    } else {
        $key = "$position"
        if ($facts.Last -ge 0 -and $position -gt $facts.Last) { $key = "$($facts.Last)" }
        foreach ($value in $facts.Offers[$key]) { $found[$value] = $value }
    }

    foreach ($entry in $found.GetEnumerator()) {
        $text = $prefix + $entry.Key
        if ($text.StartsWith($wordToComplete, [System.StringComparison]::Ordinal)) {
            $help = if ($entry.Value) { $entry.Value } else { $text }
            [System.Management.Automation.CompletionResult]::new($text, $entry.Key, 'ParameterValue', $help)
        }
    }
}
