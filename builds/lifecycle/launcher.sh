#!/usr/bin/env bash
# Starts a process of an image: sets the environment that its buildpacks asked for, then becomes it.
# It is called by the name of a process type, or as `launcher <command> [argument ...]`.
set -u
config=@LAYERS@/config

read_file() { # a file's bytes into $content, with the newlines at its end
    content=$(cat "$1" && printf x) && content=${content%x}
}

prepend_path() { # VARIABLE DIRECTORY
    [ -d "$2" ] || return 0
    local current=${!1-}
    export "$1=$2${current:+:$current}"
}

apply_folder() { # the files NAME[.action] of a layer's env directory
    local file base name action current delimiter
    for file in "$1"/*; do
        [ -f "$file" ] || continue
        base=${file##*/} name=${base%%.*} action=
        [ "$base" = "$name" ] || action=${base#*.}
        read_file "$file"
        current=${!name-} delimiter=
        case $action in
            '' | override) export "$name=$content" ;;
            default) [ -n "$current" ] || export "$name=$content" ;;
            append | prepend)
                local value=$content
                if [ -n "$current" ] && [ -f "$1/$name.delim" ]; then
                    read_file "$1/$name.delim" && delimiter=$content
                fi
                [ -n "$current" ] || { export "$name=$value"; continue; }
                if [ "$action" = append ]; then
                    export "$name=$current$delimiter$value"
                else
                    export "$name=$value$delimiter$current"
                fi
                ;;
        esac
    done
}

type=${0##*/} app=@WORKSPACE@
command=() replaces_args=1 direct=1 directory=$app args=()
. "$config/launcher.sh"
if [ "$type" = launcher ]; then
    [ "${1-}" != -- ] || shift
    [ $# -gt 0 ] || { echo "launcher: no command was given" >&2; exit 82; }
    command=("$@")
else
    choose_process "$type" || { echo "launcher: this image has no process $type" >&2; exit 82; }
    if [ $# -gt 0 ]; then
        [ "$replaces_args" = 1 ] && args=("$@") || args+=("$@")
    fi
    command+=(${args[@]+"${args[@]}"})
fi
for layer in ${layers[@]+"${layers[@]}"}; do
    prepend_path PATH "$layer/bin"
    prepend_path LD_LIBRARY_PATH "$layer/lib"
done
for layer in ${layers[@]+"${layers[@]}"}; do
    apply_folder "$layer/env"
    apply_folder "$layer/env.launch"
    apply_folder "$layer/env.launch/$type"
done
set_variables() { # what a program of exec.d wrote: lines of TOML, name = "value" or 'value'
    local line name value
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
        if [[ $line =~ ^[[:space:]]*\"?([A-Za-z_][A-Za-z0-9_]*)\"?[[:space:]]*=[[:space:]]*\"(.*)\"[[:space:]]*$ ]]; then
            name=${BASH_REMATCH[1]}
            value=${BASH_REMATCH[2]}
            printf -v value %b "${value//\\\"/\\x22}"
        elif [[ $line =~ ^[[:space:]]*\"?([A-Za-z_][A-Za-z0-9_]*)\"?[[:space:]]*=[[:space:]]*\'([^\']*)\'[[:space:]]*$ ]]; then
            name=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
        else
            echo "launcher: $1 wrote a line that is not name = \"value\"" >&2
            exit 82
        fi
        export "$name=$value"
    done
}

run_programs() { # the files of a layer's exec.d directory; each sees what the earlier ones set
    local program output
    for program in "$1"/*; do
        [ -f "$program" ] || continue
        output=$("$program" 3>&1 >&2) || { echo "launcher: $program failed" >&2; exit 82; }
        set_variables "$program" <<<"$output"
    done
}

for layer in ${layers[@]+"${layers[@]}"}; do
    run_programs "$layer/exec.d"
    run_programs "$layer/exec.d/$type"
done
unset CNB_LAYERS_DIR CNB_APP_DIR CNB_PROCESS_TYPE CNB_PLATFORM_API CNB_DEPRECATION_MODE
cd "$directory" || exit 82
if [ "$direct" != 1 ]; then
    profiles=()
    for layer in ${layers[@]+"${layers[@]}"}; do
        profiles+=("$layer"/profile.d/* "$layer/profile.d/$type"/*)
    done
    profiles+=("$app/.profile")
    exec bash -c '
        for profile in "${@:2}"; do [ ! -f "$profile" ] || . "$profile"; done
        exec bash -c "$1"' "$0" "${command[*]}" "${profiles[@]}"
fi
type -P "${command[0]}" >/dev/null || { echo "launcher: ${command[0]}: not found" >&2; exit 82; }
exec "${command[@]}"
