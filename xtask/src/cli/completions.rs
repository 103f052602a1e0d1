//! Scripts that let a shell complete `cargo xtask`, or another alias of this program, made from the table.
//!
//! A shell has one completion for the command `cargo`. So each script looks whether the word after
//! `cargo` is `xtask`, and hands everything else to the completion that cargo or rustup brings.

use std::fmt::Write as _;

use crate::cli::help;
use crate::cli::table::{self, Values, Verb};
use crate::cli::values::Shell;

/// Returns the completion script of a shell, for the alias `alias`: `xtask`, or the name of a second program.
pub fn script(shell: Shell, alias: &str) -> String {
    let verbs = table::verbs();
    // The table is not ours to rename: it has options such as `--xtask-git`.
    let named = |script: &str| script.replace("xtask", alias);
    match shell {
        Shell::Bash => named(BASH).replace("@TABLE@\n", &cases(&verbs, alias)),
        Shell::Zsh => named(ZSH).replace("@TABLE@\n", &cases(&verbs, alias)),
        Shell::Fish => named(FISH) + &fish(&verbs, alias),
    }
}

/// Writes the table that the bash and zsh scripts share: the options of each verb, and the values
/// that each option and operand takes.
fn cases(verbs: &[Verb], alias: &str) -> String {
    let mut text = format!("_cargo_{alias}_table() {{\n    case $1 in\n");
    let names: Vec<_> = help::shown(verbs).map(|verb| verb.name).collect();
    let _ = writeln!(text, "    verbs) REPLY='help {}' ;;", names.join(" "));
    let _ = writeln!(text, "    'help operand') REPLY='words {}' ;;", names.join(" "));
    for verb in help::shown(verbs) {
        let _ = write!(text, "    '{} options') REPLY='", verb.name);
        for flag in &verb.flags {
            let _ = write!(text, "--{} ", flag.long);
        }
        text.push_str("--help' ;;\n");
        if let Some(operand) = verb.operands.first() {
            let _ =
                writeln!(text, "    '{} operand') REPLY='{}' ;;", verb.name, kind(operand.values));
        }
        for flag in &verb.flags {
            if let Some((_, values)) = flag.value {
                let (verb, long, kind) = (verb.name, flag.long, kind(values));
                let _ = writeln!(text, "    '{verb} --{long}') REPLY='{kind}' ;;");
            }
        }
    }
    text.push_str("    *) REPLY= ;;\n    esac\n}\n");
    text
}

fn kind(values: Values) -> String {
    match values {
        Values::Any => "any".to_owned(),
        Values::Files => "files".to_owned(),
        Values::Folders => "folders".to_owned(),
        Values::Services => "services".to_owned(),
        Values::Words(words) => format!("words {}", words.join(" ")),
    }
}

const BASH: &str = r#"# Completion of `cargo xtask` for bash, written by `cargo xtask completions bash`.

# Sets REPLY to what the table has: `verbs`, `VERB options`, `VERB operand` or `VERB --OPTION`.
@TABLE@

# Prints the services of the workspace around the current folder: asks the program that cargo built last, and lists
# services/ where there is none yet.
_cargo_xtask_services() {
    local dir=$PWD program manifest
    while [[ -n $dir ]]; do
        for program in "$dir"/target/debug/xtask "$dir"/xtask/target/debug/xtask "$CARGO_TARGET_DIR"/debug/xtask; do
            [[ -x $program ]] && "$program" completions-services 2>/dev/null && return
        done
        for manifest in "$dir"/services/*/Cargo.toml; do
            [[ -f $manifest ]] || continue
            manifest=${manifest%/Cargo.toml}
            printf '%s\n' "${manifest##*/}"
        done
        [[ -d $dir/services ]] && return
        dir=${dir%/*}
    done
}

# Fills COMPREPLY with what begins with $1 and is of the kind $2.
_cargo_xtask_values() {
    local line
    case $2 in
    files | folders)
        local action=-f
        [[ $2 == folders ]] && action=-d
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$action" -- "$1")
        ;;
    services) COMPREPLY=($(compgen -W "$(_cargo_xtask_services)" -- "$1")) ;;
    words\ *) COMPREPLY=($(compgen -W "${2#words }" -- "$1")) ;;
    esac
}

# Completes the word after `cargo xtask ...`; $1 is where the verb stands.
_cargo_xtask() {
    local REPLY current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[$1]}
    # Files only where one is expected.
    compopt +o bashdefault +o default 2>/dev/null
    if ((COMP_CWORD == $1)); then
        _cargo_xtask_table verbs
        COMPREPLY=($(compgen -W "$REPLY --help --version" -- "$current"))
        return
    fi
    # bash takes `--library=rustup` for three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    REPLY=
    [[ $before == --* ]] && _cargo_xtask_table "$verb $before"
    if [[ -n $REPLY ]]; then
        _cargo_xtask_values "$current" "$REPLY"
    elif [[ $current == -* ]]; then
        _cargo_xtask_table "$verb options"
        COMPREPLY=($(compgen -W "$REPLY" -- "$current"))
    else
        _cargo_xtask_table "$verb operand"
        _cargo_xtask_values "$current" "$REPLY"
    fi
}

# Sets REPLY to the function that completes cargo, unless it is the one below, or none of cargo's.
_cargo_xtask_find_other() {
    REPLY=$(complete -p cargo 2>/dev/null)
    [[ $REPLY == *' -F '* ]] || { REPLY= && return; }
    REPLY=${REPLY##* -F }
    REPLY=${REPLY%% *}
    # bash-completion sets its minimal one where it finds none.
    [[ $REPLY != _cargo_or_xtask && $REPLY != *_minimal ]] || REPLY=
}

# Completes the rest of cargo as before. Where nothing did, loads what comes with the toolchain.
_cargo_xtask_others() {
    local REPLY
    if [[ -z ${_cargo_xtask_other+set} ]]; then
        complete -r cargo 2>/dev/null
        if declare -F _comp_load >/dev/null; then
            _comp_load cargo >/dev/null 2>&1
        elif declare -F _completion_loader >/dev/null; then
            _completion_loader cargo >/dev/null 2>&1
        fi
        _cargo_xtask_find_other
        # What comes with the toolchain needs the package bash-completion.
        if [[ -z $REPLY ]] && declare -F _get_comp_words_by_ref >/dev/null; then
            eval "$(rustup completions bash cargo 2>/dev/null)" 2>/dev/null
            _cargo_xtask_find_other
        fi
        _cargo_xtask_other=$REPLY
        complete -o bashdefault -o default -F _cargo_or_xtask cargo
    fi
    [[ -z $_cargo_xtask_other ]] || "$_cargo_xtask_other" "$@"
}

_cargo_or_xtask() {
    local at=1
    [[ ${COMP_WORDS[1]} == +* ]] && at=2
    COMPREPLY=()
    if [[ ${COMP_WORDS[at]} == xtask ]] && ((COMP_CWORD > at)); then
        _cargo_xtask $((at + 1))
        return
    fi
    _cargo_xtask_others "$@"
    # cargo's own completion need not know aliases.
    if ((COMP_CWORD == at)) && [[ xtask == "${COMP_WORDS[at]}"* && " ${COMPREPLY[*]} " != *' xtask '* ]]; then
        COMPREPLY+=(xtask)
    fi
}

_cargo_xtask_find_other
[[ -z $REPLY ]] || _cargo_xtask_other=$REPLY
unset REPLY
complete -o bashdefault -o default -F _cargo_or_xtask cargo
"#;

const ZSH: &str = r#"# Completion of `cargo xtask` for zsh, written by `cargo xtask completions zsh`.

# Sets REPLY to what the table has: `verbs`, `VERB options`, `VERB operand` or `VERB --OPTION`.
@TABLE@

# Adds the services of the workspace around the current folder: asks the program that cargo built last, and lists
# services/ where there is none yet.
_cargo_xtask_services() {
    local dir=$PWD program
    local -a services
    while [[ -n $dir ]]; do
        for program in $dir/target/debug/xtask $dir/xtask/target/debug/xtask $CARGO_TARGET_DIR/debug/xtask; do
            if [[ -x $program ]] && services=(${(f)"$($program completions-services 2>/dev/null)"}) && (( $#services )); then
                compadd -a services
                return
            fi
        done
        if [[ -d $dir/services ]]; then
            services=($dir/services/*/Cargo.toml(N:h:t))
            compadd -a services
            return
        fi
        dir=${dir%/*}
    done
}

# Adds what is of the kind $1.
_cargo_xtask_values() {
    case $1 in
    files) _files ;;
    folders) _files -/ ;;
    services) _cargo_xtask_services ;;
    words\ *) compadd -- ${=1#words } ;;
    esac
}

# Completes the word after `cargo xtask ...`; $1 is where the verb stands.
_cargo_xtask() {
    local REPLY verb=${words[$1]} before=${words[CURRENT - 1]}
    if (( CURRENT == $1 )); then
        _cargo_xtask_table verbs
        compadd -- ${=REPLY}
        [[ $PREFIX == -* ]] && compadd -- --help --version
        return
    fi
    if [[ $PREFIX == --*=* ]]; then
        before=${PREFIX%%=*}
        compset -P '*='
    fi
    REPLY=
    [[ $before == --* ]] && _cargo_xtask_table "$verb $before"
    if [[ -n $REPLY ]]; then
        _cargo_xtask_values "$REPLY"
    elif [[ $PREFIX == -* ]]; then
        _cargo_xtask_table "$verb options"
        compadd -- ${=REPLY}
    else
        _cargo_xtask_table "$verb operand"
        _cargo_xtask_values "$REPLY"
    fi
}

# Completes the rest of cargo as before. Where nothing did, loads what comes with the toolchain.
_cargo_xtask_others() {
    if [[ -n $_cargo_xtask_other ]]; then
        $_cargo_xtask_other "$@"
    elif (( $+functions[_cargo] )); then
        _cargo "$@"
    else
        # This defines the function and calls it.
        eval "$(rustup completions zsh cargo 2>/dev/null)"
    fi
}

_cargo_or_xtask() {
    local at=2
    [[ ${words[2]} == +* ]] && at=3
    if [[ ${words[at]} == xtask ]] && (( CURRENT > at )); then
        _cargo_xtask $(( at + 1 ))
        return
    fi
    _cargo_xtask_others "$@"
    # cargo's own completion need not know aliases.
    (( CURRENT == at )) && compadd -- xtask
}

if [[ ${_comps[cargo]} != _cargo_or_xtask ]]; then
    typeset -g _cargo_xtask_other=${_comps[cargo]}
fi
compdef _cargo_or_xtask cargo
"#;

/// Writes the rules of the fish script, one for each word, which come to those that fish has for cargo already.
fn fish(verbs: &[Verb], alias: &str) -> String {
    let mut text = String::new();
    let is_verb = format!("__cargo_{alias}_verb");
    let mut rule = |condition: &str, rest: &str, what: &str| {
        let what = what.replace('\\', "\\\\").replace('\'', "\\'");
        let _ = writeln!(text, "complete -c cargo -n '{condition}' {rest} -d '{what}'");
    };
    let names: Vec<_> = help::shown(verbs).map(|verb| verb.name).collect();
    for verb in help::shown(verbs) {
        rule(&is_verb, &format!("-f -a {}", verb.name), verb.summary);
    }
    rule(&is_verb, "-f -a help", "the options of a verb");
    rule(&format!("{is_verb} help"), &format!("-f -a '{}'", names.join(" ")), "verb");
    for verb in help::shown(verbs) {
        let condition = format!("{is_verb} {}", verb.name);
        match verb.operands.first() {
            Some(operand) => rule(&condition, &fish_values(operand.values, alias), operand.name),
            None => rule(&condition, "-f", ""),
        }
        for flag in &verb.flags {
            let values = flag.value.map(|(_, values)| fish_values(values, alias));
            let values = values.map_or_else(String::new, |values| format!(" -r {values}"));
            rule(&condition, &format!("-l {}{values}", flag.long), first_clause(flag.doc));
        }
    }
    text
}

fn fish_values(values: Values, alias: &str) -> String {
    match values {
        Values::Any => "-f".to_owned(),
        Values::Files => "-F".to_owned(),
        Values::Folders => "-f -a '(__fish_complete_directories)'".to_owned(),
        Values::Services => format!("-f -a '(__cargo_{alias}_services)'"),
        Values::Words(words) => format!("-f -a '{}'", words.join(" ")),
    }
}

/// Returns the first clause of an option's meaning, which fits beside the option.
fn first_clause(doc: &str) -> &str {
    doc.split([';', ':']).next().unwrap_or(doc)
}

const FISH: &str = r#"# Completion of `cargo xtask` for fish, written by `cargo xtask completions fish`.

# Whether the word to complete is the verb of `cargo xtask`; with a verb, whether it comes after that.
function __cargo_xtask_verb
    set -l words (commandline -opc)
    string match -q -- '+*' $words[2]; and set -e words[2]
    test "$words[2]" = xtask; or return 1
    if set -q argv[1]
        test "$words[3]" = $argv[1]
    else
        test (count $words) -eq 2
    end
end

# Prints the services of the workspace around the current folder: asks the program that cargo built last, and lists
# services/ where there is none yet.
function __cargo_xtask_services
    set -l dir $PWD
    while test -n "$dir"
        for program in $dir/target/debug/xtask $dir/xtask/target/debug/xtask $CARGO_TARGET_DIR/debug/xtask
            test -x $program; and $program completions-services 2>/dev/null; and return
        end
        for manifest in $dir/services/*/Cargo.toml
            basename (dirname $manifest)
        end
        test -d $dir/services; and return
        set dir (string replace -r '/[^/]*$' '' -- $dir)
    end
end

complete -c cargo -n '__fish_use_subcommand' -f -a xtask -d 'build automation of this repository'
"#;
