import { DroverError } from "#model/errors.ts";
import type { Verb } from "../command.ts";

/** Each asks `drover __complete` for the words that fit, so that a script never has to be made anew. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_drover() {
  local IFS=$'\\n'
  COMPREPLY=($(drover __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default
}
complete -F _drover drover
`,
  zsh: `#compdef drover
_drover() {
  local -a found
  found=("\${(@f)$(drover __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _drover drover
`,
  fish: `function __drover_complete
  set -l words (commandline -opc) (commandline -ct)
  drover __complete -- $words[2..-1] 2>/dev/null
end
complete -c drover -f -a "(__drover_complete)"
`,
};

export default {
  configure: (command) =>
    command.argument("<shell>", "bash, zsh or fish").addHelpText(
      "after",
      `
Examples:
  drover completion bash > /etc/bash_completion.d/drover
  drover completion zsh  > "\${fpath[1]}/_drover"
  drover completion fish > ~/.config/fish/completions/drover.fish`,
    ),
  run(session, { args: [shell = ""] }) {
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (script === undefined) {
      throw new DroverError("USAGE", `there is no completion for "${shell}"`, { hint: "Name bash, zsh or fish." });
    }
    if (session.out.json) session.out.value({ shell, script });
    else session.out.raw(Buffer.from(script));
    return Promise.resolve(0);
  },
} satisfies Verb;
